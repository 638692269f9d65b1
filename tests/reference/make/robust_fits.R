# Tests sets of effects in clusters with clubSandwich, and writes numbers that keep all their digits.
# Shared by tests/reference/make/robust.R and tests/metafor/live_robust.R; needs fits.R, sourced before it.

suppressPackageStartupMessages(library(clubSandwich))

ADJUSTMENTS <- c("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")
JOINT <- c("HTZ", "Naive-F", "Naive-Fp", "chi-sq")

json_list <- function(values) paste0("[", paste(values, collapse = ", "), "]")

# Coefficients, and all but the first together; Wald_test() stops at a model of one coefficient.
adjusted <- function(fit, cluster, adjustments) {
  p <- length(coef(fit))
  one <- function(type) {
    covariance <- vcovCR(fit, cluster = cluster, type = type)
    alone <- coef_test(fit, vcov = covariance, test = "Satterthwaite")
    numbers <- c(json_numbers(c(as.matrix(covariance))), json_numbers(alone$df_Satt), json_numbers(alone$p_Satt))
    if (p == 1) return(json_object(c("covariance", "df", "p_values"), numbers))
    together <- Wald_test(fit, constrain_zero(seq(2, p)), vcov = covariance, test = JOINT)
    row <- function(test) unlist(together[together$test == test, c("Fstat", "df_num", "df_denom", "p_val")])
    json_object(
      c("covariance", "df", "p_values", "joint"),
      c(numbers, json_object(JOINT, vapply(JOINT, function(test) json_numbers(row(test)), "")))
    )
  }
  json_object(adjustments, vapply(adjustments, one, ""))
}

json_set <- function(name, x, yi, vi, cluster, more, fits) {
  columns <- vapply(seq_len(ncol(x)), function(j) json_numbers(x[, j]), "")
  json_object(
    c("name", "x", "yi", "vi", "cluster", names(more), "fits"),
    c(json_text(name), json_list(columns), json_numbers(yi), json_numbers(vi),
      json_numbers(as.integer(factor(cluster, levels = unique(cluster)))), more, fits)
  )
}

# Where a cluster has leverage 1, clubSandwich inverts a matrix that is singular but for rounding for CR3.
kinds <- function(s, p, alone) {
  setdiff(ADJUSTMENTS, c(if (s <= p) "CR1p", if (alone) "CR3"))
}

independent <- function(name, yi, vi, x, cluster, weights = NULL, alone = FALSE) {
  asked <- list(yi = yi, vi = vi, method = "DL")
  asked$mods <- if (ncol(x) > 1) x[, -1, drop = FALSE]
  asked$weights <- weights
  fit <- do.call(rma, asked)
  more <- c(tau2 = json_number(fit$tau2), b = json_numbers(c(fit$beta)), weights = json_weights(weights))
  fits <- adjusted(fit, cluster, kinds(length(unique(cluster)), ncol(x), alone))
  json_set(name, x, yi, vi, cluster, more, fits)
}
