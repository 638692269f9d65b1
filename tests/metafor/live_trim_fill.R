# Called by test_live_trim_fill.py: Rscript live_trim_fill.R <tests/reference/make> <sets.json> <answers.json>

arguments <- commandArgs(trailingOnly = TRUE)
source(file.path(arguments[1], "trim_fill_fits.R"))

answer <- function(set) {
  yi <- as.numeric(set$yi)
  vi <- as.numeric(set$vi)
  list(
    trim_fill = trimmed(set$name, yi, vi, set$method, set$estimator, set$side),
    adjusted = tryCatch(means(set$name, yi, vi, set$method), error = function(e) NULL)
  )
}

sets <- fromJSON(arguments[2], simplifyVector = FALSE)
answers <- lapply(sets, function(set) {
  set$yi <- unlist(set$yi)
  set$vi <- unlist(set$vi)
  answer(set)
})
write(toJSON(answers, auto_unbox = TRUE, digits = I(17), na = "null", null = "null"), arguments[3])
