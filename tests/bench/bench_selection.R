# Times metafor's selmodel() on the set in a JSON file: Rscript bench_selection.R set.json
suppressPackageStartupMessages(library(metafor))
asked <- jsonlite::fromJSON(commandArgs(trailingOnly = TRUE)[1])
plain <- rma(asked$yi, asked$vi, method = "ML")
fit <- NULL
seconds <- vapply(seq_len(asked$repeats), function(i) {
  start <- proc.time()[["elapsed"]]
  fit <<- suppressWarnings(selmodel(plain, type = "stepfun", steps = asked$steps))
  proc.time()[["elapsed"]] - start
}, 0)
cat(median(seconds), "\n")
cat(sprintf("%.15g", c(fit$beta, fit$tau2, fit$delta[-1], fit$se)), "\n")
cat("R", paste(R.version$major, R.version$minor, sep = "."), "metafor", as.character(packageVersion("metafor")), "\n")
