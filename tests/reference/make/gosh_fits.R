# All subsets of one set of effects by metafor's gosh(), as the numbers of the subsets (bit i: effect i) and the fits.
# Shared by tests/reference/make/gosh.R and tests/metafor/live_gosh.R.

suppressPackageStartupMessages(library(metafor))

SCORING <- c("REML", "ML", "EB")
ROOTS <- c("PM", "PMM")

every_subset <- function(yi, vi, method) {
  control <- list()
  if (method %in% SCORING) control <- list(threshold = 1e-13 * min(1, mean(vi)), maxiter = 10000, stepadj = 0.5)
  if (method %in% ROOTS) control <- list(tol = 1e-300, maxiter = 10000)
  fit <- suppressWarnings(rma(yi, vi, method = method, control = control))
  found <- suppressWarnings(gosh(fit, progbar = FALSE))
  number <- as.vector(found$incl %*% 2^(seq_along(yi) - 1))
  cbind(number = number, found$res[c("k", "QE", "I2", "tau2", "estimate")])[order(number), ]
}
