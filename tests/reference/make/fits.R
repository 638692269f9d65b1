# Fits one set of effects with metafor in every way the library can, and writes numbers that keep all their digits.
# Shared by tests/reference/make/pooling.R and tests/metafor/live.R.

suppressPackageStartupMessages(library(metafor))

METHODS <- c("REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "EE")
TESTS <- c("z", "t", "knha", "adhoc")
SCORING <- c("REML", "ML", "EB")
FIRST <- c(DL2 = "DL", CA2 = "HE")

# metafor's stopping rules are absolute, so they are set to what the size of the data allows:
# the threshold never above 1e-12, nor above 1e-12 of tau2, nor below what the arithmetic can resolve.
scoring_threshold <- function(tau2, vi) {
  resolution <- 16 * .Machine$double.eps * (tau2 + 1 / mean(1 / vi))
  max(1e-12 * min(1, tau2), resolution)
}

quietly <- function(expr, heard) {
  withCallingHandlers(expr, warning = function(w) {
    # Knapp-Hartung with equal effects is fitted on purpose.
    if (!grepl("Knapp & Hartung method is not meant", conditionMessage(w))) {
      heard$warnings <- unique(c(heard$warnings, gsub("\\s+", " ", conditionMessage(w))))
    }
    invokeRestart("muffleWarning")
  })
}

# The control list with which Fisher scoring converges: first as asked, then with a step half as long, then less exactly.
scoring_control <- function(yi, vi, method, heard) {
  attempt <- function(control) {
    tryCatch(quietly(rma(yi, vi, method = method, control = control), heard), error = function(e) NULL)
  }
  first <- list(threshold = 1e-12, maxiter = 1000)
  rough <- attempt(first)
  if (is.null(rough)) rough <- attempt(list(threshold = 1e-8, maxiter = 1000))
  if (is.null(rough)) return(NULL)
  exact <- scoring_threshold(rough$tau2, vi)
  tries <- list(
    list(threshold = exact, maxiter = 1000),
    list(threshold = exact, maxiter = 1000, stepadj = 0.5),
    first,
    list(threshold = 1e-12, maxiter = 1000, stepadj = 0.5),
    list(threshold = 1e3 * exact, maxiter = 1000, stepadj = 0.5)
  )
  for (control in tries) if (!is.null(attempt(control))) return(control)
  NULL
}

# PM and PMM are found by uniroot(), which goes on to the last bit when its absolute tolerance is next to nothing.
# Q(tau2) is below the target at the upper end: it is at most the sum of squares divided by tau2.
root_control <- function(yi) {
  list(tol = 1e-300, maxiter = 10000, tau2.max = max(100, 10 * sum((yi - mean(yi))^2)))
}

control_of <- function(yi, vi, method, heard) {
  if (method %in% SCORING) return(scoring_control(yi, vi, method, heard))
  if (method %in% c("PM", "PMM")) return(root_control(yi))
  list()
}

# The Q-profile interval does not depend on the estimator; uniroot's tolerance is absolute too.
q_profile <- function(yi, vi) {
  fit <- rma(yi, vi, method = "DL")
  spread <- 1 / mean(1 / vi)
  ends <- c(NA, NA)
  tol <- 1e-13 * min(1, spread)
  control <- list(tol = tol, maxiter = 10000)
  for (pass in 1:3) {
    found <- confint(fit, control = control)
    ends <- unname(found$random["tau^2", c("ci.lb", "ci.ub")])
    if (found$ub.sign != ">" && found$lb.sign != ">") break
    control$tau2.max <- 1e4 * max(100, fit$tau2, ends[2])
  }
  positive <- ends[ends > 0]
  if (length(positive) && min(positive) < 1 && min(positive) > 1e-300) {
    # a bound far below the sampling variances is sought once more, at its own size
    control$tol <- min(tol, 1e-13 * min(positive))
    found <- confint(fit, control = control)
    ends <- unname(found$random["tau^2", c("ci.lb", "ci.ub")])
  }
  list(ends = ends, control = control)
}

# The two-step estimators are GENQ with the weights of the first step's tau2.
# The mean has weights of its own, so tau2 is estimated first and then held.
held_tau2 <- function(yi, vi, method, q_weights) {
  if (method %in% names(FIRST)) q_weights <- 1 / (vi + rma(yi, vi, method = FIRST[[method]])$tau2)
  rma(yi, vi, method = "GENQ", weights = q_weights)$tau2
}

# One fit; `weights` are those of the mean: NULL for the model's own, "equal", or numbers.
fit_one <- function(yi, vi, method, test, control, weights = NULL, tau2 = NULL, heard) {
  asked <- list(yi = yi, vi = vi, test = test, control = control)
  asked$method <- if (is.null(tau2)) method else "DL"
  asked$tau2 <- tau2
  if (identical(weights, "equal")) asked$weighted <- FALSE else asked$weights <- weights
  quietly(do.call(rma, asked), heard)
}

numbers_of <- function(fit, heard) {
  # predict() wants the weights' model; the interval for a new effect is the same for all
  pred <- quietly(predict(fit), heard)
  none <- function(x) if (is.null(x)) NA_real_ else x
  c(se = fit$se, zval = fit$zval, ddf = none(fit$ddf[1]), pval = fit$pval, ci_lb = fit$ci.lb, ci_ub = fit$ci.ub,
    pi_lb = none(pred$pi.lb), pi_ub = none(pred$pi.ub))
}

fit_method <- function(yi, vi, method, tests, weights, q_weights, heard) {
  control <- control_of(yi, vi, method, heard)
  if (is.null(control)) return(NULL)
  tau2 <- if (method == "GENQ" || method %in% names(FIRST)) held_tau2(yi, vi, method, q_weights) else NULL
  first <- fit_one(yi, vi, method, tests[1], control, weights, tau2, heard)
  # the estimate of tau2 does not depend on the test, so it is not sought again
  again <- if (method == "EE") NULL else first$tau2
  done <- lapply(tests, function(test) {
    numbers_of(if (test == tests[1]) first else fit_one(yi, vi, method, test, control, weights, again, heard), heard)
  })
  names(done) <- tests
  list(
    method = method, control = control, tests = done,
    numbers = c(b = c(first$beta), tau2 = first$tau2, I2 = first$I2, H2 = first$H2, QE = first$QE, QEp = first$QEp)
  )
}

fit_all <- function(yi, vi, methods = METHODS, tests = TESTS, weights = NULL, q_weights = NULL) {
  heard <- new.env()
  heard$warnings <- character(0)
  fits <- lapply(methods, function(method) fit_method(yi, vi, method, tests, weights, q_weights, heard))
  lost <- methods[vapply(fits, is.null, TRUE)]
  list(
    fits = Filter(Negate(is.null), fits), lost = lost, warnings = heard$warnings,
    interval = q_profile(yi, vi), weights = weights, q_weights = q_weights
  )
}

# JSON with all 17 digits (jsonlite stops at 15).
json_number <- function(x) ifelse(is.finite(x), sprintf("%.17g", x), "null")
json_numbers <- function(x) paste0("[", paste(json_number(x), collapse = ", "), "]")
json_text <- function(x) encodeString(enc2utf8(x), quote = '"')
json_texts <- function(x) paste0("[", paste(vapply(x, json_text, ""), collapse = ", "), "]")
json_object <- function(keys, values) paste0("{", paste0('"', keys, '": ', values, collapse = ", "), "}")
json_control <- function(control) {
  if (length(control)) json_object(names(control), vapply(control, json_number, "")) else "{}"
}
json_weights <- function(weights) {
  if (is.null(weights)) "null" else if (is.character(weights)) json_text(weights) else json_numbers(weights)
}

# What does not depend on the test stands once a fit, what does not depend on the estimator once a set;
# `tests` holds rows of TEST_NUMBERS.
TEST_NUMBERS <- c("se", "zval", "ddf", "pval", "ci_lb", "ci_ub", "pi_lb", "pi_ub")

json_case <- function(name, measure, yi, vi, done) {
  once <- c("QE", "QEp")
  line <- function(fit) {
    rows <- json_object(names(fit$tests), vapply(fit$tests, function(row) json_numbers(row[TEST_NUMBERS]), ""))
    own <- fit$numbers[setdiff(names(fit$numbers), once)]
    json_object(
      c("method", "control", names(own), "tests"),
      c(json_text(fit$method), json_control(fit$control), json_number(own), rows)
    )
  }
  q <- if (length(done$fits)) done$fits[[1]]$numbers[once] else c(QE = NA, QEp = NA)
  paste0(
    "{\n",
    '"name": ', json_text(name), ",\n",
    '"measure": ', json_text(measure), ",\n",
    '"yi": ', json_numbers(yi), ",\n",
    '"vi": ', json_numbers(vi), ",\n",
    if (!is.null(done$weights)) paste0('"weights": ', json_weights(done$weights), ",\n"),
    if (!is.null(done$q_weights)) paste0('"q_weights": ', json_weights(done$q_weights), ",\n"),
    '"confint_control": ', json_control(done$interval$control), ",\n",
    '"metafor_warnings": ', json_texts(done$warnings), ",\n",
    '"not_converged": ', json_texts(done$lost), ",\n",
    '"QE": ', json_number(q[["QE"]]), ', "QEp": ', json_number(q[["QEp"]]),
    ', "tau2_lb": ', json_number(done$interval$ends[1]), ', "tau2_ub": ', json_number(done$interval$ends[2]), ",\n",
    '"fits": [\n', paste(vapply(done$fits, line, ""), collapse = ",\n"), "\n]\n}"
  )
}
