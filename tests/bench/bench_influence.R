# Times metafor's influence() and leave1out() for the set in a JSON file: Rscript bench_influence.R set.json
suppressPackageStartupMessages(library(metafor))
asked <- jsonlite::fromJSON(commandArgs(trailingOnly = TRUE)[1])
fit <- rma(asked$yi, asked$vi, control = list(threshold = 1e-10, maxiter = 1000))
for (call in list(influence, leave1out)) {
  start <- proc.time()[["elapsed"]]
  found <- call(fit)
  cat(proc.time()[["elapsed"]] - start, "\n")
  cat(sprintf("%.15g", if (is.null(found$inf)) found$estimate else found$inf$cook.d), "\n")
}
cat("R", paste(R.version$major, R.version$minor, sep = "."), "metafor", as.character(packageVersion("metafor")), "\n")
