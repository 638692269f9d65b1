# Times metafor on the sets in a JSON file: Rscript bench_pooling.R sets.json
suppressPackageStartupMessages(library(metafor))
asked <- jsonlite::fromJSON(commandArgs(trailingOnly = TRUE)[1], simplifyDataFrame = FALSE)
for (set in asked$sets) {
  yi <- set$yi
  vi <- set$vi
  once <- function() rma(yi, vi, method = "REML", test = "knha", control = list(threshold = 1e-12, maxiter = 1000))
  if (set$repeats > 1) once()
  seconds <- vapply(seq_len(set$repeats), function(i) {
    start <- proc.time()[["elapsed"]]
    for (j in seq_len(set$inner)) once()
    (proc.time()[["elapsed"]] - start) / set$inner
  }, 0)
  cat(length(yi), median(seconds), "\n")
  if (length(yi) == asked$left_out) {
    cat("leave1out", system.time(leave1out(once()))[["elapsed"]], "\n")
  }
}
cat("R", paste(R.version$major, R.version$minor, sep = "."), "metafor", as.character(packageVersion("metafor")), "\n")
