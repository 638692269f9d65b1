# Times metafor's gosh() over all subsets: Rscript bench_gosh.R set.json
suppressPackageStartupMessages(library(metafor))

asked <- jsonlite::fromJSON(commandArgs(trailingOnly = TRUE)[1])
fit <- rma(asked$yi, asked$vi, method = asked$method, control = list(maxiter = 1000))
seconds <- system.time(found <- suppressWarnings(gosh(fit, progbar = FALSE)))[["elapsed"]]
number <- as.vector(found$incl %*% 2^(seq_along(asked$yi) - 1))
cat(seconds, "\n")
cat(sprintf("%.15g", found$res$estimate[order(number)]), "\n")
cat("R", paste(R.version$major, R.version$minor, sep = "."), "metafor", as.character(packageVersion("metafor")), "\n")
