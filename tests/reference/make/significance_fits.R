# metafor's fail-safe numbers and tests of excess significance of one set of effects, and random-effects fits with null
# studies added one by one. Shared by tests/reference/make/significance.R and tests/metafor/live_significance.R.

suppressPackageStartupMessages(library(metafor))

CONTROL <- list(threshold = 1e-12, maxiter = 10000)

# N effects that average 0 and have the mean square tau2 + v0: pairs above and below 0, and one at 0 if N is odd.
with_nulls <- function(yi, vi, tau2, n) {
  v0 <- 1 / mean(1 / vi)
  pairs <- n %/% 2
  size <- if (pairs > 0) sqrt((tau2 + v0) * n / (2 * pairs)) else 0
  list(yi = c(yi, rep(size, pairs), rep(-size, pairs), rep(0, n %% 2)), vi = c(vi, rep(v0, n)))
}

# The smallest N, up to `most`, that brings the p value to .05 or the mean to `target`; NA beyond.
general <- function(yi, vi, method, test, target = NULL, most = 250) {
  tau2 <- rma(yi, vi, method = method, control = CONTROL)$tau2
  for (n in 0:most) {
    data <- with_nulls(yi, vi, tau2, n)
    fit <- suppressWarnings(rma(data$yi, data$vi, method = method, test = test, control = CONTROL))
    done <- if (is.null(target)) fit$pval >= 0.05 else abs(fit$beta[1]) <= abs(target) * (1 + 1e-9)
    if (done) return(list(number = n, estimate = fit$beta[1], p_value = fit$pval, tau2 = fit$tau2))
  }
  list(number = NA, estimate = NA, p_value = NA, tau2 = NA)
}

fail_safe <- function(yi, vi) {
  plain <- mean(yi)
  weighted <- weighted.mean(yi, 1 / vi)
  list(
    rosenthal = fsn(yi, vi)$fsnum,
    rosenthal_01 = fsn(yi, vi, alpha = 0.01)$fsnum,
    rosenthal_p = fsn(yi, vi)$pval,
    rosenberg = fsn(yi, vi, type = "Rosenberg")$fsnum,
    rosenberg_p = fsn(yi, vi, type = "Rosenberg")$pval,
    orwin = fsn(yi, type = "Orwin")$fsnum,
    orwin_third = fsn(yi, type = "Orwin", target = plain / 3.3)$fsnum,
    orwin_weighted = fsn(yi, vi, type = "Orwin", weighted = TRUE, target = weighted / 5.7)$fsnum
  )
}

excess <- function(yi, vi) {
  found <- list()
  dl <- rma(yi, vi, method = "DL")
  for (model in c("EE", "DL")) for (side in c("two.sided", "greater", "less")) for (test in c("chi2", "binom", "exact")) {
    if (test == "exact" && length(yi) > 13) next
    theta <- if (model == "EE") weighted.mean(yi, 1 / vi) else dl$beta[1]
    tau2 <- if (model == "EE") 0 else dl$tau2
    fit <- suppressWarnings(tes(
      yi, vi, alternative = side, theta = theta, tau2 = tau2, test = test, progbar = FALSE, rel.tol = 1e-10
    ))
    limit <- if (is.null(fit$theta.lim)) NA else fit$theta.lim
    found[[length(found) + 1]] <- list(
      model = model, alternative = sub(".", "-", side, fixed = TRUE), test = sub("^binom$", "binomial", test),
      observed = fit$O, expected = fit$E, p_value = fit$pval, limit = limit[1]
    )
  }
  found
}

one_set <- function(name, yi, vi, most = 250) {
  yi <- as.numeric(yi)
  vi <- as.numeric(vi)
  mean_re <- rma(yi, vi, method = "DL")$beta[1]
  list(
    name = name, yi = yi, vi = vi, fail_safe = fail_safe(yi, vi), excess = excess(yi, vi),
    general = list(
      REML_z = general(yi, vi, "REML", "z", most = most), REML_knha = general(yi, vi, "REML", "knha", most = most),
      DL_z = general(yi, vi, "DL", "z", most = most), DL_target = general(yi, vi, "DL", "z", mean_re / 3, most)
    )
  )
}

as_json <- function(x) jsonlite::toJSON(x, digits = I(17), auto_unbox = TRUE, na = "null", null = "null", pretty = FALSE)
