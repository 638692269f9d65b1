# Fits every subset of every set in a JSON file: Rscript live_gosh.R folder-of-gosh_fits.R sets.json answers.json
arguments <- commandArgs(trailingOnly = TRUE)
source(file.path(arguments[1], "gosh_fits.R"))

asked <- jsonlite::fromJSON(arguments[2], simplifyDataFrame = FALSE)
answers <- lapply(asked, function(set) {
  as.list(every_subset(as.numeric(set$yi), as.numeric(set$vi), set$method))
})
writeLines(jsonlite::toJSON(answers, digits = I(17), na = "null"), arguments[3], useBytes = TRUE)
