# Answers every set in a JSON file with metafor's influence(), leave1out(), cumul() and baujat():
# Rscript live_influence.R folder-of-influence.R sets.json answers.json
arguments <- commandArgs(trailingOnly = TRUE)
script <- file.path(arguments[1], "influence.R")
quit(status = system2(file.path(R.home("bin"), "Rscript"), c(script, arguments[2], arguments[3])), save = "no")
