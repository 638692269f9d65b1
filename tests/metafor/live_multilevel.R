# Fits every nested set in a JSON file with metafor's rma.mv; null where metafor cannot:
# Rscript live_multilevel.R folder-of-fits.R sets.json answers.json
arguments <- commandArgs(trailingOnly = TRUE)
source(file.path(arguments[1], "fits.R"))
source(file.path(arguments[1], "regression_fits.R"))
source(file.path(arguments[1], "multilevel_fits.R"))

asked <- jsonlite::fromJSON(arguments[2], simplifyDataFrame = FALSE, simplifyMatrix = FALSE)
answers <- vapply(asked, function(set) {
  tryCatch({
    if (identical(names(set$rho), "decay")) set$rho <- as.list(set$rho)
    model <- model_of(set)
    fit <- best_mv(set, model, set$method, thorough = set$thorough)
    json_fit(set, model, fit, set$method)
  }, error = function(e) "null")
}, "")
writeLines(paste0("[\n", paste(answers, collapse = ",\n"), "\n]"), arguments[3], useBytes = TRUE)
