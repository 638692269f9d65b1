# Times metafor's permutest on the set in a JSON file: Rscript bench_permutation.R set.json
suppressPackageStartupMessages(library(metafor))
asked <- jsonlite::fromJSON(commandArgs(trailingOnly = TRUE)[1])
fit <- rma(asked$yi, asked$vi, mods = ~ asked$x, method = "REML", test = "knha",
           control = list(threshold = 1e-12, maxiter = 1000))
invisible(permutest(fit, iter = 100, progbar = FALSE))
start <- proc.time()[["elapsed"]]
invisible(permutest(fit, iter = asked$n, progbar = FALSE))
cat(proc.time()[["elapsed"]] - start, "\n")
cat("R", paste(R.version$major, R.version$minor, sep = "."), "metafor", as.character(packageVersion("metafor")), "\n")
