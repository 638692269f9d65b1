# Regression tests and rank correlations by metafor, and CR2 by clubSandwich, with numbers that keep all their digits.
# Shared by tests/reference/make/small_study.R and tests/metafor/live_small_study.R; needs fits.R, sourced before it.

suppressPackageStartupMessages(library(clubSandwich))

PREDICTORS <- c(
  std_error = "sei", variance = "vi", n = "ni", "1/n" = "ninv", "sqrt(n)" = "sqrtni", "1/sqrt(n)" = "sqrtninv"
)
COLUMNS <- list(
  sei = function(vi, ni) sqrt(vi), vi = function(vi, ni) vi, ni = function(vi, ni) ni,
  ninv = function(vi, ni) 1 / ni, sqrtni = function(vi, ni) sqrt(ni), sqrtninv = function(vi, ni) 1 / sqrt(ni)
)
json_list <- function(values) paste0("[", paste(values, collapse = ", "), "]")

# metafor stops when tau2 changes by less than the threshold; where that is never so, the step is halved.
fitted <- function(yi, vi, ni, x, method, test) {
  size <- mean(vi)
  for (threshold in c(1e-13, 1e-11)) for (stepadj in c(1, 0.5)) {
    control <- list(threshold = threshold * min(1, size), maxiter = 5000, stepadj = stepadj)
    again <- tryCatch({
      fit <- do.call(rma, c(list(yi, vi, method = method, test = test, control = control), if (!is.null(ni)) list(ni = ni)))
      list(fit = fit, line = rma(yi, vi, mods = x, method = method, test = test, control = control), control = control)
    }, error = function(e) NULL)
    if (!is.null(again)) return(again)
  }
  NULL
}

none <- function(x) if (is.null(x)) NA_real_ else x

# slope, its standard error, statistic, df, p; the limit with its interval; tau2
mixed <- function(yi, vi, ni, predictor, method, test) {
  x <- COLUMNS[[predictor]](vi, ni)
  found <- fitted(yi, vi, ni, x, method, test)
  if (is.null(found)) return("null")
  asked <- regtest(found$fit, model = "rma", predictor = predictor)
  line <- asked$fit
  df <- none(line$ddf[1])
  json_numbers(c(
    line$beta[2], line$se[2], asked$zval, df, asked$pval, none(asked$est), none(asked$ci.lb), none(asked$ci.ub),
    line$tau2
  ))
}

classical <- function(yi, vi, ni, predictor) {
  asked <- do.call(regtest, c(list(yi, vi, model = "lm", predictor = predictor), if (!is.null(ni)) list(ni = ni)))
  line <- suppressWarnings(summary(asked$fit))
  json_numbers(c(
    coef(line)[2, 1:3], asked$dfs, asked$pval, none(asked$est), none(asked$ci.lb), none(asked$ci.ub), line$sigma^2
  ))
}

# slope and intercept: estimate, standard error, df and p of each
robust <- function(yi, vi, ni, predictor, cluster, method) {
  found <- fitted(yi, vi, ni, COLUMNS[[predictor]](vi, ni), method, "z")
  if (is.null(found)) return("null")
  tested <- coef_test(found$line, vcov = "CR2", cluster = cluster, test = "Satterthwaite")
  json_numbers(unlist(lapply(2:1, function(i) c(tested$beta[i], tested$SE[i], tested$df_Satt[i], tested$p_Satt[i]))))
}

small_study_set <- function(name, yi, vi, ni = NULL, cluster = NULL, methods = c("REML", "DL")) {
  predictors <- if (is.null(ni)) PREDICTORS[1:2] else PREDICTORS
  each <- function(work) json_object(names(predictors), vapply(predictors, work, ""))
  tests <- function(method) {
    json_object(c("z", "knapp-hartung"), vapply(c("z", "knha"), function(test) {
      each(function(predictor) mixed(yi, vi, ni, predictor, method, test))
    }, ""))
  }
  ranks <- suppressWarnings(ranktest(yi, vi))
  json_object(
    c("name", "yi", "vi", "ni", "cluster", "rank", "classical", "mixed", "robust"),
    c(
      json_text(name), json_numbers(yi), json_numbers(vi), if (is.null(ni)) "null" else json_numbers(ni),
      if (is.null(cluster)) "null" else json_numbers(as.integer(factor(cluster, levels = unique(cluster)))),
      json_numbers(c(ranks$tau, ranks$pval)), each(function(predictor) classical(yi, vi, ni, predictor)),
      json_object(methods, vapply(methods, tests, "")),
      if (is.null(cluster)) "null" else each(function(p) robust(yi, vi, ni, p, cluster, methods[1]))
    )
  )
}
