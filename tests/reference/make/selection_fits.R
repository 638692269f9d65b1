# Fits step-function selection models with metafor, and writes numbers that keep all their digits.
# Shared by tests/reference/make/selection.R and tests/metafor/live_selection.R; needs fits.R, sourced before it.

# metafor's optimizers stop early, so the best end of three counts.
selected <- function(yi, vi, x, steps, alternative, method, delta = NULL) {
  asked <- list(yi = yi, vi = vi, method = method, control = list(threshold = 1e-12, maxiter = 10000))
  if (method == "EE") asked$control <- NULL
  asked$mods <- if (ncol(x) > 1 || any(x != 1)) x
  if (!is.null(asked$mods)) asked$intercept <- FALSE
  plain <- suppressWarnings(do.call(rma, asked))
  controls <- list(
    list(optimizer = "optim", optmethod = "BFGS", reltol = 1e-16, maxit = 5000),
    list(optimizer = "nlminb", rel.tol = 1e-15, x.tol = 1e-12, iter.max = 5000, eval.max = 10000),
    list(optimizer = "optim", optmethod = "Nelder-Mead", reltol = 1e-16, maxit = 20000)
  )
  ends <- lapply(controls, function(control) {
    call <- list(plain, type = "stepfun", alternative = alternative, steps = steps, control = control)
    call$delta <- delta
    tryCatch(suppressWarnings(do.call(selmodel, call)), error = function(e) NULL)
  })
  ends <- ends[!vapply(ends, is.null, NA)]
  if (!length(ends)) return(NULL)
  heights <- vapply(ends, function(fit) as.numeric(logLik(fit)), 0)
  known <- vapply(ends, function(fit) all(is.finite(fit$se)), NA)
  ends[[order(-known, -heights)[1]]]
}

selection_set <- function(name, yi, vi, x, steps, alternative = "greater", method = "ML", delta = NULL, ends = FALSE) {
  fit <- selected(yi, vi, x, steps, alternative, method, delta)
  if (is.null(fit)) return(NULL)
  none <- function(value) if (is.null(value)) NA_real_ else value
  columns <- vapply(seq_len(ncol(x)), function(j) json_numbers(x[, j]), "")
  intervals <- "null"
  if (ends) {
    found <- confint(fit, control = list(tol = 1e-9, maxiter = 10000))
    bounds <- function(one) json_numbers(one$random[1, c("ci.lb", "ci.ub")])
    kept <- Filter(is.list, unclass(found))
    intervals <- paste0("[", paste(vapply(kept, bounds, ""), collapse = ", "), "]")
  }
  json_object(
    c("name", "yi", "vi", "x", "steps", "alternative", "tau2_method", "given", "b", "se", "tau2", "se_tau2", "delta",
      "se_delta", "log_likelihood", "LRT", "LRTdf", "LRTp", "intervals"),
    c(json_text(name), json_numbers(yi), json_numbers(vi), paste0("[", paste(columns, collapse = ", "), "]"),
      json_numbers(steps), json_text(sub(".", "-", alternative, fixed = TRUE)), json_text(method),
      if (is.null(delta)) "null" else json_numbers(delta), json_numbers(c(fit$beta)), json_numbers(fit$se),
      json_number(fit$tau2), json_number(none(fit$se.tau2)), json_numbers(fit$delta), json_numbers(fit$se.delta),
      json_number(as.numeric(logLik(fit))), json_number(none(fit$LRT)), json_number(none(fit$LRTdf)),
      json_number(none(fit$LRTp)), intervals)
  )
}
