# Tests every set in a JSON file with clubSandwich: Rscript live_robust.R folder-of-fits.R sets.json answers.json
arguments <- commandArgs(trailingOnly = TRUE)
source(file.path(arguments[1], "fits.R"))
source(file.path(arguments[1], "robust_fits.R"))

asked <- jsonlite::fromJSON(arguments[2], simplifyDataFrame = FALSE, simplifyMatrix = FALSE)
answers <- vapply(asked, function(set) {
  x <- vapply(set$x, function(column) as.numeric(unlist(column)), numeric(length(set$yi)))
  weights <- if (!is.null(set$weights)) as.numeric(unlist(set$weights))
  independent(set$name, as.numeric(unlist(set$yi)), as.numeric(unlist(set$vi)), x, unlist(set$cluster), weights)
}, "")
writeLines(paste0("[\n", paste(answers, collapse = ",\n"), "\n]"), arguments[3], useBytes = TRUE)
