# Fits every design in a JSON file with metafor, by the set's own methods and tests; null where metafor cannot:
# Rscript live_regression.R folder-of-fits.R sets.json answers.json
arguments <- commandArgs(trailingOnly = TRUE)
source(file.path(arguments[1], "fits.R"))
source(file.path(arguments[1], "regression_fits.R"))

asked <- jsonlite::fromJSON(arguments[2], simplifyDataFrame = FALSE, simplifyMatrix = FALSE)
answers <- vapply(asked, function(set) {
  tryCatch({
    done <- fit_regressions(set, set$methods, function(i) set$tests[i])
    json_regression(set, done)
  }, error = function(e) "null")
}, "")
writeLines(paste0("[\n", paste(answers, collapse = ",\n"), "\n]"), arguments[3], useBytes = TRUE)
