# Fail-safe numbers and tests of excess significance of every set in a JSON file:
# Rscript live_significance.R folder-of-fits.R sets.json answers.json
arguments <- commandArgs(trailingOnly = TRUE)
source(file.path(arguments[1], "significance_fits.R"))

asked <- jsonlite::fromJSON(arguments[2], simplifyDataFrame = FALSE, simplifyMatrix = FALSE)
answers <- lapply(asked, function(set) one_set(set$name, as.numeric(unlist(set$yi)), as.numeric(unlist(set$vi)), 40))
writeLines(as_json(answers), arguments[3], useBytes = TRUE)
