# Tests every set in a JSON file with metafor: Rscript live_small_study.R folder-of-fits.R sets.json answers.json
arguments <- commandArgs(trailingOnly = TRUE)
source(file.path(arguments[1], "fits.R"))
source(file.path(arguments[1], "small_study_fits.R"))

asked <- jsonlite::fromJSON(arguments[2], simplifyDataFrame = FALSE, simplifyMatrix = FALSE)
answers <- vapply(asked, function(set) {
  column <- function(name) if (!is.null(set[[name]])) as.numeric(unlist(set[[name]]))
  small_study_set(set$name, column("yi"), column("vi"), column("ni"), column("cluster"), methods = set$method)
}, "")
writeLines(paste0("[\n", paste(answers, collapse = ",\n"), "\n]"), arguments[3], useBytes = TRUE)
