# Fits every set in a JSON file with metafor, in all ways or by the set's own methods, test and weights:
# Rscript live.R fits.R sets.json answers.json
arguments <- commandArgs(trailingOnly = TRUE)
source(arguments[1])

asked <- jsonlite::fromJSON(arguments[2], simplifyDataFrame = FALSE, simplifyMatrix = FALSE)
weights_of <- function(given) if (is.character(given) || is.null(given)) given else as.numeric(unlist(given))
answers <- vapply(asked, function(set) {
  yi <- as.numeric(unlist(set$yi))
  vi <- as.numeric(unlist(set$vi))
  methods <- if (is.null(set$methods)) METHODS else unlist(set$methods)
  tests <- if (is.null(set$test)) TESTS else set$test
  done <- fit_all(yi, vi, methods, tests, weights_of(set$weights), weights_of(set$q_weights))
  json_case(set$name, "GEN", yi, vi, done)
}, "")
writeLines(paste0("[\n", paste(answers, collapse = ",\n"), "\n]"), arguments[3], useBytes = TRUE)
