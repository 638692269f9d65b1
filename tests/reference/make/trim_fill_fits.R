# Trim and fill by metafor, and the adjusted means by lm(). Shared by tests/reference/make/trim_fill.R and
# tests/metafor/test_live_trim_fill.R.

suppressPackageStartupMessages({
  library(metafor)
  library(jsonlite)
})

CONTROL <- list(threshold = 1e-12, maxiter = 10000)

fit <- function(yi, vi, method, test = "z") suppressWarnings(rma(yi, vi, method = method, test = test, control = CONTROL))

# trimfill() refits with the default threshold of tau2, so its centre and its result are fitted again, exactly.
trimmed <- function(name, yi, vi, method, estimator, side) {
  known <- list(name = name, method = method, estimator = estimator, side_given = side)
  found <- tryCatch(
    suppressWarnings(trimfill(fit(yi, vi, method), estimator = estimator, side = side)),
    error = function(e) list(error = conditionMessage(e))
  )
  if (!is.null(found$error)) return(c(known, list(error = found$error)))
  sign <- if (found$side == "right") -1 else 1
  k <- length(yi)
  kept <- order(sign * yi)[seq_len(k - found$k0)]
  center <- if (length(kept) > 1) c(fit(yi[kept], vi[kept], method)$beta) else yi[kept]
  outer <- setdiff(seq_len(k), kept)
  after <- fit(c(yi, 2 * center - yi[outer]), c(vi, vi[outer]), method, "knha")
  c(known, list(
    side = found$side, k0 = found$k0, se_k0 = found$se.k0, p_k0 = found$p.k0, center = center,
    trimmed = I(sort(outer)), estimate = c(after$beta), std_error = after$se, tau2 = after$tau2
  ))
}

radial <- function(y, error) {
  x <- 1 / error
  z <- y / error
  line <- lm(z ~ x)
  shape <- solve(crossprod(cbind(1, x)))
  list(
    alpha = unname(coef(line)[1]), beta = unname(coef(line)[2]), covariance = shape,
    rest = sum(residuals(line)^2), share = 1 - sum(residuals(line)^2) / sum((z - mean(z))^2)
  )
}

means <- function(name, yi, vi, method) {
  sei <- sqrt(vi)
  tau2 <- fit(yi, vi, method)$tau2
  if (tau2 < 1e-9) tau2 <- 0 # Fisher scoring stops short of 0, and the limit takes the square root
  total <- sqrt(vi + tau2)
  line <- radial(yi, total)
  limit <- line$beta + sqrt(tau2 / total^2) * (yi - line$beta)
  plot <- radial(limit, sei)
  way <- c(sqrt(tau2), 1)
  uwls <- function(some) unname(coef(summary(lm(I(yi / sei)[some] ~ 0 + I(1 / sei)[some])))[1, 1:2])
  everything <- uwls(rep(TRUE, length(yi)))
  powered <- sei <= abs(everything[1]) / (qnorm(0.975) + qnorm(0.8))
  hc <- hc(fit(yi, vi, "DL"))
  list(
    name = name, method = method, tau2 = tau2,
    limit = list(
      estimate = line$beta + sqrt(tau2) * line$alpha, std_error = sqrt(c(way %*% line$covariance %*% way)),
      alpha = line$alpha, alpha_error = sqrt(line$covariance[1, 1]), beta = line$beta,
      slope = plot$beta, slope_error = sqrt(plot$covariance[2, 2]),
      mean = weighted.mean(limit, 1 / vi), mean_error = 1 / sqrt(sum(1 / vi)),
      g2 = if (tau2 == 0) 0 else 100 * (1 - plot$share), q_residual = radial(yi, sei)$rest
    ),
    uwls = everything, powered = I(powered), waap = uwls(if (sum(powered) > 1) powered else rep(TRUE, length(yi))),
    hc = c(c(hc$beta), hc$se, hc$ci.lb, hc$ci.ub)
  )
}
