# Times metafor's rma.mv on the sets in a JSON file: Rscript bench_multilevel.R sets.json
suppressPackageStartupMessages(library(metafor))
asked <- jsonlite::fromJSON(commandArgs(trailingOnly = TRUE)[1], simplifyDataFrame = FALSE)
for (set in asked) {
  frame <- data.frame(yi = set$yi, vi = set$vi, study = set$study, id = seq_along(set$yi))
  V <- set$vi
  if (set$rho > 0) V <- vcalc(vi, cluster = study, obs = id, rho = set$rho, data = frame, sparse = TRUE)
  once <- function() rma.mv(yi, V, random = ~ 1 | study/id, data = frame, sparse = TRUE)
  if (set$repeats > 1) invisible(once())
  seconds <- vapply(seq_len(set$repeats), function(i) system.time(fit <<- once())[["elapsed"]], 0)
  cat(median(seconds), sprintf("%.17g", fit$sigma2[2]), sprintf("%.17g", fit$sigma2[1]), "\n")
}
cat("R", paste(R.version$major, R.version$minor, sep = "."), "metafor", as.character(packageVersion("metafor")), "\n")
