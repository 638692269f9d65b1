# Times metafor's Cook's distances by study for the set in a JSON file: Rscript bench_diagnostics.R set.json
suppressPackageStartupMessages(library(metafor))
asked <- jsonlite::fromJSON(commandArgs(trailingOnly = TRUE)[1])
frame <- data.frame(yi = asked$yi, vi = asked$vi, study = asked$study, id = seq_along(asked$yi))
fit <- rma.mv(yi, vi, random = ~ 1 | study/id, data = frame, sparse = TRUE, control = list(rel.tol = 1e-10))
start <- proc.time()[["elapsed"]]
found <- cooks.distance(fit, cluster = frame$study, reestimate = asked$refit)
cat(proc.time()[["elapsed"]] - start, "\n")
cat(sprintf("%.15g", found), "\n")
cat("R", paste(R.version$major, R.version$minor, sep = "."), "metafor", as.character(packageVersion("metafor")), "\n")
