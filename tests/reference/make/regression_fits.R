# Fits mixed-effects models with metafor in every way the library can, and writes numbers that keep all their digits.
# Shared by tests/reference/make/regression.R and tests/metafor/live_regression.R; needs fits.R, sourced before it.
# A set is list(name, formula, yi, vi, data), `data` a list of numeric and character columns.

COEFFICIENT_NUMBERS <- c("se", "zval", "pval", "ci_lb", "ci_ub")
PREDICTION_NUMBERS <- c("pred", "pred_se", "pred_ci_lb", "pred_ci_ub", "pred_pi_lb", "pred_pi_ub")

# Levels stand in the order of the data, as in the library.
as_frame <- function(data, like = data) {
  as.data.frame(mapply(function(column, known) {
    if (is.character(column)) factor(column, levels = unique(known)) else column
  }, data, like, SIMPLIFY = FALSE), stringsAsFactors = FALSE)
}

columns_of <- function(set, data = set$data) {
  frame <- as_frame(data, set$data)
  if (!ncol(frame)) frame <- data.frame(row.names = seq_along(set$yi))
  model.matrix(as.formula(paste("~", set$formula)), frame)
}

# Two rows to predict at: the first study and the last, numbers half as large again.
new_rows <- function(set) {
  lapply(set$data, function(column) {
    ends <- column[c(1, length(column))]
    if (is.character(ends)) ends else 1.5 * ends
  })
}

rma_of <- function(set, x, method, test, control = list(), ...) {
  intercept <- colnames(x)[1] == "(Intercept)"
  mods <- if (intercept) x[, -1, drop = FALSE] else x
  asked <- list(yi = set$yi, vi = set$vi, method = method, test = test, control = control, ...)
  if (ncol(mods)) asked <- c(asked, list(mods = mods, intercept = intercept))
  do.call(rma, asked)
}

regression_control <- function(set, x, method, heard) {
  attempt <- function(control) {
    tryCatch(quietly(rma_of(set, x, method, "z", control), heard), error = function(e) NULL)
  }
  if (method %in% c("PM", "PMM")) {
    return(list(tol = 1e-300, maxiter = 10000, tau2.max = max(100, 10 * sum((set$yi - mean(set$yi))^2))))
  }
  if (!(method %in% SCORING)) return(list())
  first <- list(threshold = 1e-12, maxiter = 1000)
  rough <- attempt(first)
  if (is.null(rough)) rough <- attempt(list(threshold = 1e-8, maxiter = 1000))
  if (is.null(rough)) rough <- attempt(list(threshold = 1e-8, maxiter = 10000, stepadj = 0.5))
  if (is.null(rough)) return(NULL)
  exact <- scoring_threshold(rough$tau2, set$vi)
  tries <- list(
    list(threshold = exact, maxiter = 1000),
    list(threshold = exact, maxiter = 10000, stepadj = 0.5),
    first,
    list(threshold = 1e-12, maxiter = 10000, stepadj = 0.5),
    list(threshold = 1e3 * exact, maxiter = 10000, stepadj = 0.5)
  )
  for (control in tries) if (!is.null(attempt(control))) return(control)
  NULL
}

# DL2 and CA2 are GENQ with the weights of the first step's tau2, which is then held.
held_regression_tau2 <- function(set, x, method) {
  start <- rma_of(set, x, FIRST[[method]], "z")$tau2
  rma_of(set, x, "GENQ", "z", weights = 1 / (set$vi + start))$tau2
}

test_numbers <- function(fit, x, new) {
  mods <- if (colnames(x)[1] == "(Intercept)") new[, -1, drop = FALSE] else new
  at <- if (ncol(mods)) predict(fit, newmods = mods) else predict(fit)[c(1, 1)]
  none <- function(value) if (is.null(value)) rep(NA_real_, length(at$pred)) else value
  list(
    coefficients = list(
      se = fit$se, zval = fit$zval, pval = fit$pval, ci_lb = fit$ci.lb, ci_ub = fit$ci.ub
    ),
    predictions = list(
      pred = at$pred, pred_se = at$se, pred_ci_lb = at$ci.lb, pred_ci_ub = at$ci.ub,
      pred_pi_lb = none(at$pi.lb), pred_pi_ub = none(at$pi.ub)
    ),
    QM = c(QM = fit$QM, QMp = fit$QMp)
  )
}

# Generalised variance inflation of each term with more than the intercept.
inflation <- function(fit, x) {
  assigned <- attr(x, "assign")
  terms <- lapply(setdiff(unique(assigned), 0), function(term) which(assigned == term))
  if (sum(lengths(terms)) < 2) return(numeric(0))
  found <- vif(fit, btt = terms)
  as.numeric(vapply(found$vif, function(one) one$vif, 0))
}

fit_numbers <- function(fit, held, r2) {
  none <- function(x) if (is.null(x) || !length(x)) NA_real_ else as.numeric(x)
  criteria <- c("log_likelihood", "aic", "bic", "aicc")
  stats <- if (held) rep(NA_real_, 4) else {
    rows <- fit$fit.stats[c("ll", "AIC", "BIC", "AICc"), if (fit$method == "REML") "REML" else "ML"]
    as.numeric(rows)
  }
  c(tau2 = fit$tau2, I2 = fit$I2, H2 = fit$H2, R2 = if (is.na(r2)) none(fit$R2) else r2, setNames(stats, criteria))
}

held_r2 <- function(set, x, method, tau2) {
  if (colnames(x)[1] != "(Intercept)" || ncol(x) == 1) return(NA_real_)
  alone <- held_regression_tau2(set, x[, 1, drop = FALSE], method)
  if (alone > 0) 100 * max(0, 1 - tau2 / alone) else NA_real_
}

fit_regression_method <- function(set, x, new, method, tests, heard) {
  control <- regression_control(set, x, method, heard)
  if (is.null(control)) return(NULL)
  held <- method %in% names(FIRST)
  tau2 <- if (held) held_regression_tau2(set, x, method) else NULL
  known <- if (held) "DL" else method
  first <- quietly(rma_of(set, x, known, tests[1], control, tau2 = tau2), heard)
  again <- if (method == "EE") NULL else first$tau2
  done <- lapply(tests, function(test) {
    fit <- if (test == tests[1]) first else quietly(rma_of(set, x, known, test, control, tau2 = again), heard)
    test_numbers(fit, x, new)
  })
  r2 <- if (held) held_r2(set, x, method, tau2) else NA_real_
  list(
    method = method, control = control, b = c(first$beta), tests = setNames(done, tests),
    numbers = fit_numbers(first, held, r2), vif = inflation(first, x), Q = c(QE = first$QE, QEp = first$QEp),
    se_tau2 = if (method %in% c("EE", names(FIRST))) NA_real_ else first$se.tau2
  )
}

# `tests_of(i)` names the tests of the i-th method.
fit_regressions <- function(set, methods = METHODS, tests_of = function(i) TESTS) {
  heard <- new.env()
  heard$warnings <- character(0)
  x <- columns_of(set)
  new <- columns_of(set, new_rows(set))
  fits <- lapply(seq_along(methods), function(i) fit_regression_method(set, x, new, methods[i], tests_of(i), heard))
  lost <- methods[vapply(fits, is.null, TRUE)]
  list(fits = Filter(Negate(is.null), fits), lost = lost, warnings = heard$warnings, x = x, lrt = ratio_test(set, x, fits))
}

# Of all moderators, by ML.
ratio_test <- function(set, x, fits) {
  ml <- Filter(function(fit) identical(fit$method, "ML"), fits)
  if (!length(ml) || colnames(x)[1] != "(Intercept)" || ncol(x) == 1) return(c(NA_real_, NA_real_))
  control <- ml[[1]]$control
  heard <- new.env()
  alone <- tryCatch(quietly(rma_of(set, x[, 1, drop = FALSE], "ML", "z", control), heard), error = function(e) NULL)
  if (is.null(alone)) return(c(NA_real_, NA_real_))
  tested <- anova(quietly(rma_of(set, x, "ML", "z", control), heard), alone)
  c(tested$LRT, tested$pval)
}

json_rows <- function(rows) paste0("[", paste(vapply(rows, json_numbers, ""), collapse = ", "), "]")
json_columns <- function(data) {
  if (!length(data)) return("{}")
  json_object(names(data), vapply(data, function(column) {
    if (is.character(column)) json_texts(column) else json_numbers(column)
  }, ""))
}

json_fit <- function(fit) {
  tests <- vapply(fit$tests, function(test) json_object(
    c("coefficients", "predictions", "QM"),
    c(json_rows(test$coefficients[COEFFICIENT_NUMBERS]), json_rows(test$predictions[PREDICTION_NUMBERS]),
      json_numbers(test$QM))
  ), "")
  json_object(
    c("method", "control", "b", names(fit$numbers), "se_tau2", "Q", "vif", "tests"),
    c(json_text(fit$method), json_control(fit$control), json_numbers(fit$b), json_number(fit$numbers),
      json_number(fit$se_tau2), json_numbers(fit$Q), if (length(fit$vif)) json_numbers(fit$vif) else "[]",
      json_object(names(tests), tests))
  )
}

json_regression <- function(set, done) {
  paste0(
    "{\n",
    '"name": ', json_text(set$name), ', "formula": ', json_text(set$formula), ",\n",
    '"yi": ', json_numbers(set$yi), ",\n",
    '"vi": ', json_numbers(set$vi), ",\n",
    '"data": ', json_columns(set$data), ",\n",
    '"new": ', json_columns(new_rows(set)), ",\n",
    '"columns": ', json_texts(colnames(done$x)), ",\n",
    '"metafor_warnings": ', if (length(done$warnings)) json_texts(done$warnings) else "[]", ",\n",
    '"not_converged": ', if (length(done$lost)) json_texts(done$lost) else "[]", ",\n",
    '"likelihood_ratio": ', json_numbers(done$lrt), ",\n",
    '"fits": [\n', paste(vapply(done$fits, json_fit, ""), collapse = ",\n"), "\n]\n}"
  )
}
