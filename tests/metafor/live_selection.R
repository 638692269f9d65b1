# Fits selection models to every set in a JSON file with metafor: Rscript live_selection.R folder-of-fits.R sets.json answers.json
arguments <- commandArgs(trailingOnly = TRUE)
source(file.path(arguments[1], "fits.R"))
source(file.path(arguments[1], "selection_fits.R"))

asked <- jsonlite::fromJSON(arguments[2], simplifyDataFrame = FALSE, simplifyMatrix = FALSE)
answers <- unlist(lapply(asked, function(set) {
  x <- vapply(set$x, function(column) as.numeric(unlist(column)), numeric(length(set$yi)))
  delta <- if (!is.null(set$given)) as.numeric(unlist(set$given))
  selection_set(set$name, as.numeric(unlist(set$yi)), as.numeric(unlist(set$vi)), x, as.numeric(unlist(set$steps)),
                set$alternative, set$tau2_method, delta)
}))
writeLines(paste0("[\n", paste(answers, collapse = ",\n"), "\n]"), arguments[3], useBytes = TRUE)
