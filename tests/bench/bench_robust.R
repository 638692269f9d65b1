# Times clubSandwich's CR2 and its degrees of freedom on the set in a JSON file: Rscript bench_robust.R set.json
suppressPackageStartupMessages({
  library(metafor)
  library(clubSandwich)
})
asked <- jsonlite::fromJSON(commandArgs(trailingOnly = TRUE)[1])
fit <- rma(asked$yi, asked$vi, mods = ~ asked$x, method = "DL", test = "z")
tested <- NULL
seconds <- vapply(seq_len(asked$repeats), function(i) {
  start <- proc.time()[["elapsed"]]
  covariance <- vcovCR(fit, cluster = asked$cluster, type = "CR2")
  tested <<- coef_test(fit, vcov = covariance, test = "Satterthwaite")
  proc.time()[["elapsed"]] - start
}, 0)
cat(median(seconds), "\n")
cat(sprintf("%.15g", c(tested$SE, tested$df_Satt)), "\n")
cat("R", paste(R.version$major, R.version$minor, sep = "."), "clubSandwich", as.character(packageVersion("clubSandwich")), "\n")
