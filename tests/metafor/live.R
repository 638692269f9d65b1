# Fits every set in a JSON file with metafor, in all ways or by the set's own method and test:
# Rscript live.R fits.R sets.json answers.json
arguments <- commandArgs(trailingOnly = TRUE)
source(arguments[1])

asked <- jsonlite::fromJSON(arguments[2], simplifyDataFrame = FALSE, simplifyMatrix = FALSE)
answers <- vapply(asked, function(set) {
  yi <- as.numeric(unlist(set$yi))
  vi <- as.numeric(unlist(set$vi))
  methods <- if (is.null(set$method)) METHODS else set$method
  tests <- if (is.null(set$test)) TESTS else set$test
  json_case(set$name, "GEN", yi, vi, fit_all(yi, vi, methods, tests))
}, "")
writeLines(paste0("[\n", paste(answers, collapse = ",\n"), "\n]"), arguments[3], useBytes = TRUE)
