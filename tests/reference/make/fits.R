# Fits one set of effects with metafor in every way the library can, and writes numbers that keep all their digits.
# Shared by tests/reference/make/pooling.R and tests/metafor/live.R.

suppressPackageStartupMessages(library(metafor))

METHODS <- c("REML", "DL", "EE")
TESTS <- c("z", "t", "knha", "adhoc")

# metafor's stopping rules are absolute, so they are set to what the size of the data allows:
# the threshold never above 1e-12, nor above 1e-12 of tau2, nor below what the arithmetic can resolve.
reml_threshold <- function(tau2, vi) {
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

# The control list with which REML converges: first as asked, then with a step half as long, then less exactly.
reml_control <- function(yi, vi, heard) {
  attempt <- function(control) {
    tryCatch(quietly(rma(yi, vi, method = "REML", control = control), heard), error = function(e) NULL)
  }
  first <- list(threshold = 1e-12, maxiter = 1000)
  rough <- attempt(first)
  if (is.null(rough)) rough <- attempt(list(threshold = 1e-8, maxiter = 1000))
  if (is.null(rough)) return(NULL)
  exact <- reml_threshold(rough$tau2, vi)
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

fit_all <- function(yi, vi, methods = METHODS, tests = TESTS) {
  heard <- new.env()
  heard$warnings <- character(0)
  interval <- if (length(yi) > 1) q_profile(yi, vi) else list(ends = c(NA, NA), control = list())
  fits <- list()
  lost <- list()
  for (method in methods) {
    control <- if (method == "REML") reml_control(yi, vi, heard) else list()
    if (is.null(control)) {
      lost <- c(lost, list(list(method = method)))
      next
    }
    for (test in tests) {
      fit <- quietly(rma(yi, vi, method = method, test = test, control = control), heard)
      pred <- quietly(predict(fit), heard)
      ends <- if (method == "EE") c(NA, NA) else interval$ends
      none <- function(x) if (is.null(x)) NA_real_ else x
      fits <- c(fits, list(list(
        method = method, test = test, control = control,
        numbers = c(
          b = c(fit$beta), se = fit$se, zval = fit$zval, ddf = none(fit$ddf[1]), pval = fit$pval,
          ci_lb = fit$ci.lb, ci_ub = fit$ci.ub, tau2 = fit$tau2, I2 = fit$I2, H2 = fit$H2,
          QE = fit$QE, QEp = fit$QEp, pi_lb = none(pred$pi.lb), pi_ub = none(pred$pi.ub),
          tau2_lb = ends[1], tau2_ub = ends[2]
        )
      )))
    }
  }
  list(fits = fits, lost = lost, warnings = heard$warnings, q_profile_control = interval$control)
}

# JSON with all 17 digits (jsonlite stops at 15).
json_number <- function(x) ifelse(is.finite(x), sprintf("%.17g", x), "null")
json_numbers <- function(x) paste0("[", paste(json_number(x), collapse = ", "), "]")
json_text <- function(x) encodeString(enc2utf8(x), quote = '"')
json_texts <- function(x) paste0("[", paste(vapply(x, json_text, ""), collapse = ", "), "]")
json_object <- function(keys, values) paste0("{", paste0('"', keys, '": ', values, collapse = ", "), "}")
json_control <- function(control) {
  json_object(names(control), vapply(control, json_number, ""))
}

json_case <- function(name, measure, yi, vi, done) {
  line <- function(fit) {
    control <- if (length(fit$control)) json_control(fit$control) else "{}"
    json_object(
      c("method", "test", "control", names(fit$numbers)),
      c(json_text(fit$method), json_text(fit$test), control, json_number(fit$numbers))
    )
  }
  lost <- vapply(done$lost, function(fit) json_object("method", json_text(fit$method)), "")
  control <- if (length(done$q_profile_control)) json_control(done$q_profile_control) else "{}"
  paste0(
    "{\n",
    '"name": ', json_text(name), ",\n",
    '"measure": ', json_text(measure), ",\n",
    '"yi": ', json_numbers(yi), ",\n",
    '"vi": ', json_numbers(vi), ",\n",
    '"confint_control": ', control, ",\n",
    '"metafor_warnings": ', json_texts(done$warnings), ",\n",
    '"not_converged": [', paste(lost, collapse = ", "), "],\n",
    '"fits": [\n', paste(vapply(done$fits, line, ""), collapse = ",\n"), "\n]\n}"
  )
}
