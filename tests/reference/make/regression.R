# Writes tests/reference/regression.json: what metafor makes of published and random designs.
# Run from the repository's root: Rscript tests/reference/make/regression.R

source("tests/reference/make/fits.R")
source("tests/reference/make/regression_fits.R")

plain <- function(data, columns) {
  lapply(setNames(columns, columns), function(name) {
    if (is.character(data[[name]])) data[[name]] else as.numeric(data[[name]])
  })
}

bangert <- dat.bangertdrowns2004
terms <- c("length", "wic", "feedback", "info", "pers", "imag", "meta")
bangert <- bangert[complete.cases(bangert[c("yi", "vi", terms)]), ]
bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)

of <- function(name, formula, data, columns) {
  list(name = name, formula = formula, yi = as.numeric(data$yi), vi = as.numeric(data$vi), data = plain(data, columns))
}
published <- list(
  of("bangertdrowns2004", paste(terms, collapse = " + "), bangert, terms),
  of("bcg_ablat", "ablat", bcg, "ablat"),
  of("bcg_ablat_alloc", "ablat + alloc", bcg, c("ablat", "alloc")),
  of("bcg_alloc_no_intercept", "0 + alloc", bcg, "alloc"),
  # no constant among the columns: metafor 3.8 centres the effects all the same
  of("bcg_ablat_no_constant", "0 + ablat", bcg, "ablat")
)

# Numbers, years and levels; variances equal to six orders of magnitude apart; heterogeneity from none to huge.
FORMULAS <- c(
  "x", "x + z", "year", "g", "0 + g", "x + g", "x * z", "x + z + year", "x + h", "x * g", "h + z + x", "g + h",
  "x + z + I(x * z)", "0 + g + x", "year + g + z", "x + z + x:z + g"
)
COLUMNS <- c("x", "z", "year", "g", "h")

levels_for <- function(k, letters) sample(rep_len(letters, k))
rounded <- function(x) signif(x, 6)

random_design <- function(number) {
  repeat {
    formula <- FORMULAS[(number - 1) %% length(FORMULAS) + 1]
    k <- sample(c(5:12, 15, 20, 30, 40, 60, 100), 1)
    scale <- sample(c(1e-3, 0.05, 1), 1)
    spread <- sample(c("equal", "mild", "wild"), 1)
    vi <- scale * switch(spread, equal = rep(1, k), mild = exp(rnorm(k, 0, 0.7)), wild = exp(runif(k, -6.9, 6.9)))
    ratio <- sample(c(0, 0, 0.1, 1, 10, 1000), 1)
    data <- list(
      x = rounded(rnorm(k)), z = rounded(rexp(k, 0.1)), year = as.numeric(sample(1970:2020, k, replace = TRUE)),
      g = levels_for(k, c("low", "middle", "high")), h = levels_for(k, c("yes", "no"))
    )
    data <- data[COLUMNS %in% all.vars(as.formula(paste("~", formula)))]
    set <- list(formula = formula, data = data, yi = numeric(k))
    x <- columns_of(set)
    if (ncol(x) < k - 1 && qr(x)$rank == ncol(x)) break
  }
  between <- ratio / mean(1 / vi)
  size <- sqrt(scale) * sample(c(0, 1), 1)
  slopes <- rnorm(ncol(x), 0, size) / pmax(apply(abs(x), 2, max), 1)
  set$yi <- rounded(c(x %*% slopes) + rnorm(k, 0, sqrt(between + vi * sample(c(0.25, 1, 1), 1))))
  set$vi <- rounded(vi)
  set$name <- sprintf("random%03d_k%d_%s_tau2x%g", number, k, spread, ratio)
  set[c("name", "formula", "yi", "vi", "data")]
}

RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(1809)
random <- lapply(1:100, random_design)

case <- function(set, tests_of) json_regression(set, fit_regressions(set, tests_of = tests_of))
cases <- c(
  vapply(published, case, "", function(i) TESTS),
  # one test each estimator and design, another one each time
  vapply(seq_along(random), function(i) case(random[[i]], function(j) TESTS[(i + j) %% 4 + 1]), "")
)

# Q-profile intervals of the published designs.
interval <- function(set) {
  found <- confint(rma_of(set, columns_of(set), "REML", "z"), control = list(tol = 1e-14, maxiter = 10000))
  json_object(c("name", "ends"), c(json_text(set$name), json_numbers(found$random["tau^2", c("ci.lb", "ci.ub")])))
}

# All 128 subsets of the seven moderators, fitted in a loop, weighed by AICc.
subsets <- expand.grid(rep(list(c(FALSE, TRUE)), length(terms)))
one <- function(row) {
  chosen <- terms[unlist(subsets[row, ])]
  set <- of("", if (length(chosen)) paste(chosen, collapse = " + ") else "1", bangert, terms)
  x <- columns_of(set)
  fit <- rma_of(set, x, "ML", "knha", list(threshold = 1e-13, maxiter = 10000))
  estimate <- variance <- setNames(numeric(1 + length(terms)), c("intercept", terms))
  names <- c("intercept", chosen)
  estimate[names] <- c(fit$beta)
  variance[names] <- fit$se^2
  list(formula = set$formula, aicc = fit$fit.stats["AICc", "ML"], tau2 = fit$tau2, b = estimate, variance = variance)
}
heard <- new.env()
fits <- quietly(lapply(seq_len(nrow(subsets)), one), heard)
aicc <- vapply(fits, function(fit) fit$aicc, 0)
weights <- exp(-0.5 * (aicc - min(aicc)))
weights <- weights / sum(weights)
b <- vapply(fits, function(fit) fit$b, numeric(1 + length(terms)))
variance <- vapply(fits, function(fit) fit$variance, numeric(1 + length(terms)))
averaged <- c(b %*% weights)
multimodel <- json_object(
  c("terms", "formulas", "aicc", "tau2", "weights", "importance", "averaged", "se_of_roots", "se_revised"),
  c(
    json_texts(terms), json_texts(vapply(fits, function(fit) fit$formula, "")), json_numbers(aicc),
    json_numbers(vapply(fits, function(fit) fit$tau2, 0)), json_numbers(weights),
    json_numbers(c(weights %*% as.matrix(subsets))), json_numbers(averaged),
    json_numbers(c(sqrt(variance + (b - averaged)^2) %*% weights)),
    json_numbers(sqrt(c((variance + (b - averaged)^2) %*% weights)))
  )
)

call <- paste(
  "rma(yi, vi, mods=, method=, test=, control=list(threshold=, maxiter=)); uniroot's tol=1e-300 for PM and PMM;",
  "DL2 and CA2: rma(method='GENQ', weights=1/(vi+tau2 of DL or HE)), then rma(tau2=);",
  "tests after the first with that fit's tau2; vif(btt=one term at a time); predict(newmods=); anova(ML, ML).",
  "The threshold is set to the size of the data, and each fit's 'control' holds it. se_tau2 is fit$se.tau2;",
  "'likelihood_ratio' is of all moderators; 'multimodel': rma(method='ML', test='knha') of all subsets"
)
source_record <- json_object(
  c("software", "r_version", "metafor_version", "metadat_version", "date", "script", "call"),
  vapply(c(
    "R", paste(R.version$major, R.version$minor, sep = "."), as.character(packageVersion("metafor")),
    as.character(packageVersion("metadat")), "2026-11-23", "tests/reference/make/regression.R", call
  ), json_text, "")
)

out <- file("tests/reference/regression.json", open = "wb")
writeLines(paste0(
  '{\n"source": ', source_record,
  ',\n"coefficient_numbers": ', json_texts(COEFFICIENT_NUMBERS),
  ',\n"prediction_numbers": ', json_texts(PREDICTION_NUMBERS),
  ',\n"cases": [\n', paste(cases, collapse = ",\n"),
  '\n],\n"tau2_intervals": [\n', paste(vapply(published[1:4], interval, ""), collapse = ",\n"),
  '\n],\n"multimodel": ', multimodel, "\n}"
), out, sep = "\n", useBytes = TRUE)
close(out)
