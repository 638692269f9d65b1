# Fits multilevel models with metafor's rma.mv, as closely as its optimizers go.
# Shared by tests/reference/make/multilevel.R and tests/metafor/live_multilevel.R; needs fits.R and regression_fits.R,
# sourced before it.
# A set is list(name, formula, yi, vi, data, groups, rho): `groups` a named list of labels, the innermost level first;
# `rho` NULL, a number, one a row, or list(decay): decay^|i - j| between rows i and j.

groups_of <- function(set) {
  inside <- lapply(seq_along(set$groups), function(at) {
    do.call(paste, c(unname(set$groups[at:length(set$groups)]), sep = "|"))
  })
  c(list(id = as.character(seq_along(set$yi))), setNames(inside, names(set$groups)))
}

sampling_of <- function(set, study) {
  if (is.null(set$rho)) return(set$vi)
  k <- length(set$yi)
  rows <- seq_len(k)
  rho <- if (is.list(set$rho)) set$rho[[1]]^abs(outer(rows, rows, "-")) else matrix(set$rho, k, k)
  rho[outer(study, study, "!=")] <- 0
  diag(rho) <- 1
  rho * sqrt(outer(set$vi, set$vi))
}

model_of <- function(set) {
  all <- groups_of(set)
  frame <- as.data.frame(all, stringsAsFactors = FALSE)
  random <- lapply(names(all), function(name) as.formula(paste("~ 1 |", name)))
  list(x = columns_of(set), frame = frame, random = random, V = sampling_of(set, all[[2]]))
}

mv <- function(set, model, method, ...) {
  suppressWarnings(rma.mv(
    set$yi, model$V, mods = model$x, intercept = FALSE, random = model$random, data = model$frame, method = method,
    test = "t", dfs = "contain", sparse = length(set$yi) > 300, ...
  ))
}

height <- function(fit, method) if (is.null(fit)) -Inf else c(logLik(fit, REML = method == "REML"))

# nlminb from metafor's own start and from shares of the total, less exactly where it does not converge; then again, and
# by Nelder and Mead's simplex, from where the highest ended.
best_mv <- function(set, model, method, fixed = NULL, thorough = TRUE) {
  levels <- length(model$random)
  attempt <- function(control) {
    asked <- c(list(set, model, method, control = control), if (!is.null(fixed)) list(sigma2 = fixed))
    tryCatch(do.call(mv, asked), error = function(e) NULL)
  }
  exactly <- function(start = NULL) {
    for (tol in c(1e-12, 1e-10, 1e-8)) {
      begin <- if (is.null(start)) NULL else list(sigma2.init = start)
      found <- attempt(c(list(rel.tol = tol, eval.max = 5000, iter.max = 5000), begin))
      if (!is.null(found)) return(found)
    }
    NULL
  }
  simplex <- function(start) {
    attempt(list(optimizer = "optim", optmethod = "Nelder-Mead", reltol = 1e-15, maxit = 20000, sigma2.init = start))
  }
  found <- list(exactly())
  best <- function() found[[which.max(vapply(found, height, 0, method = method))]]
  total <- max(var(set$yi) / levels, 1e-6)
  if (thorough) {
    for (one in seq_len(levels)) found <- c(found, list(exactly(ifelse(seq_len(levels) == one, total, 0.1 * total))))
    for (again in list(exactly, simplex, exactly)) {
      start <- if (is.null(best())) rep(total, levels) else pmax(best()$sigma2, 1e-12)
      found <- c(found, list(again(start)))
    }
  }
  best()
}

FIT_NUMBERS <- c("b", "se", "ddf", "tval", "pval", "ci_lb", "ci_ub")

json_fit <- function(set, model, fit, method, more = list()) {
  rows <- list(c(fit$beta), fit$se, fit$ddf, fit$zval, fit$pval, fit$ci.lb, fit$ci.ub)
  W <- if (is.matrix(model$V)) solve(model$V) else diag(1 / model$V)
  X <- model$x
  P <- W - W %*% X %*% solve(t(X) %*% W %*% X) %*% t(X) %*% W
  i2 <- 100 * fit$sigma2 / (sum(fit$sigma2) + (fit$k - fit$p) / sum(diag(P)))
  values <- c(
    list(method = json_text(method), sigma2 = json_numbers(fit$sigma2)),
    list(log_likelihood = json_number(height(fit, method))),
    list(QE = json_numbers(c(fit$QE, fit$QEp)), i2 = json_numbers(i2)),
    list(coefficients = paste0("[", paste(vapply(rows, json_numbers, ""), collapse = ", "), "]")),
    list(covariance = json_numbers(c(fit$vb))), more
  )
  json_object(names(values), unlist(values))
}

# Likelihood ratio tests of each level; metafor's p value is that of chi-square(1).
json_level_tests <- function(set, model, fit, method) {
  rows <- vapply(seq_along(fit$sigma2), function(one) {
    fixed <- rep(NA_real_, length(fit$sigma2))
    fixed[one] <- 0
    tested <- anova(fit, best_mv(set, model, method, fixed, thorough = FALSE))
    json_numbers(c(tested$LRT, tested$pval))
  }, "")
  paste0("[", paste(rows, collapse = ", "), "]")
}

json_intervals <- function(fit) {
  rows <- vapply(seq_along(fit$sigma2), function(one) {
    found <- suppressWarnings(confint(fit, sigma2 = one, control = list(tol = 1e-10, maxiter = 1000)))
    json_numbers(found$random[1, c("ci.lb", "ci.ub")])
  }, "")
  paste0("[", paste(rows, collapse = ", "), "]")
}

json_columns <- function(data) {
  json_object(names(data), vapply(data, function(x) if (is.character(x)) json_texts(x) else json_numbers(x), ""))
}

json_multilevel <- function(set, fits) {
  rho <- if (is.null(set$rho)) "null" else if (is.list(set$rho)) json_object("decay", json_number(set$rho[[1]])) else
    if (length(set$rho) == 1) json_number(set$rho) else json_numbers(set$rho)
  keys <- c("name", "formula", "yi", "vi", "data", "groups", "rho", "fits")
  values <- c(
    json_text(set$name), json_text(set$formula), json_numbers(set$yi), json_numbers(set$vi),
    if (length(set$data)) json_columns(set$data) else "{}", json_columns(lapply(set$groups, as.character)), rho,
    paste0("[\n", paste(fits, collapse = ",\n"), "\n]")
  )
  paste0("{\n", paste0('"', keys, '": ', values, collapse = ",\n"), "\n}")
}
