# Writes tests/reference/mean_intervals.json: metafor's profile-likelihood intervals of tau2, standard errors of tau2,
# Henmi and Copas's intervals and permutation tests.
# Run from the repository's root: Rscript tests/reference/make/mean_intervals.R

suppressPackageStartupMessages(library(metafor))

numbers <- function(x) paste0("[", paste(sprintf("%.17g", as.numeric(x)), collapse = ", "), "]")
fields <- function(names, values) paste0("{", paste0('"', names, '": ', values, collapse = ",\n"), "}")
correlations <- function(data) escalc(measure = "ZCOR", ri = ri, ni = ni, data = data)

sets <- list(
  molloy2014_ZCOR = correlations(dat.molloy2014),
  bcg_RR = escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg),
  normand1999_SMD = escalc(
    measure = "SMD", m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i, data = dat.normand1999
  ),
  hackshaw1998_GEN = dat.hackshaw1998,
  bangertdrowns2004_GEN = dat.bangertdrowns2004,
  raudenbush1985_GEN = dat.raudenbush1985,
  linde2005_RR = escalc(measure = "RR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.linde2005),
  lee2004_OR = escalc(measure = "OR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.lee2004),
  hine1989_RD = escalc(measure = "RD", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.hine1989),
  konstantopoulos2011_GEN = dat.konstantopoulos2011,
  hart1999_IRR = escalc(measure = "IRR", x1i = x1i, t1i = t1i, x2i = x2i, t2i = t2i, data = dat.hart1999)
)

# The stopping rules of the fits and of uniroot() are absolute; these sets are all of the size of 1.
fit_control <- list(threshold = 1e-15, tol = 1e-15, maxiter = 1e5)
estimators <- c("REML", "ML", "DL", "HE", "HS", "HSk", "PM", "EB", "PMM", "GENQ")

std_errors <- function(yi, vi, mods = NULL) {
  values <- vapply(estimators, function(method) {
    args <- list(yi = yi, vi = vi, method = method, control = fit_control)
    if (!is.null(mods)) args$mods <- mods
    if (method == "GENQ") args$weights <- 1 / sqrt(vi)
    fit <- do.call(rma, args)
    numbers(c(fit$tau2, fit$se.tau2))
  }, "")
  fields(estimators, values)
}

profile <- function(yi, vi, method) {
  start <- rma(yi, vi, method = "DL")$tau2
  fit <- rma(yi, vi, method = method, control = c(fit_control, tau2.init = start))
  ends <- confint(fit, type = "PL", control = list(tol = 1e-15, maxiter = 1e5))
  numbers(ends$random["tau^2", c("ci.lb", "ci.ub")])
}

henmi_copas <- function(yi, vi) {
  found <- hc(rma(yi, vi, method = "DL"), control = list(tol = 1e-13, maxiter = 1e5))
  numbers(c(found$beta, found$se, found$ci.lb, found$ci.ub, found$tau2))
}

cases <- vapply(names(sets), function(name) {
  set <- sets[[name]]
  there <- !is.na(set$yi) & !is.na(set$vi)
  yi <- as.numeric(set$yi)[there]
  vi <- as.numeric(set$vi)[there]
  fields(
    c("yi", "vi", "profile_ml", "profile_reml", "henmi_copas", "std_errors"),
    c(numbers(yi), numbers(vi), profile(yi, vi, "ML"), profile(yi, vi, "REML"), henmi_copas(yi, vi),
      std_errors(yi, vi))
  )
}, "")

bcg <- sets$bcg_RR
moderators <- cbind(dat.bcg$ablat, dat.bcg$year - 1900)
with_moderators <- fields(
  c("yi", "vi", "mods", "std_errors"),
  c(numbers(bcg$yi), numbers(bcg$vi), numbers(moderators), std_errors(bcg$yi, bcg$vi, moderators))
)

# permutest() refits in R and is slow, so the intervals are of the first seven trials.
permuted <- function(rows, method, test, permci) {
  yi <- as.numeric(bcg$yi)[rows]
  fit <- suppressWarnings(
    rma(yi, bcg$vi[rows], method = method, test = test, control = list(threshold = 1e-10, maxiter = 1e4))
  )
  found <- permutest(fit, exact = TRUE, permci = permci, progbar = FALSE, control = list(tol = 1e-6))
  ends <- if (permci) numbers(c(found$ci.lb, found$ci.ub)) else "null"
  fields(
    c("k", "method", "test", "statistic", "p_value", "interval"),
    c(length(rows), paste0('"', c(method, test), '"'), sprintf("%.17g", c(found$zval, found$pval)), ends)
  )
}
permutations <- c(
  permuted(1:7, "DL", "z", TRUE), permuted(1:7, "REML", "knha", TRUE), permuted(1:7, "REML", "z", TRUE),
  permuted(1:13, "DL", "z", FALSE), permuted(1:9, "HE", "knha", FALSE)
)

call <- paste(
  "confint(rma(yi, vi, method=, control=list(threshold=1e-15, maxiter=1e5, tau2.init=<DL>)), type='PL',",
  "control=list(tol=1e-15, maxiter=1e5)); hc(rma(yi, vi, method='DL'), control=list(tol=1e-13, maxiter=1e5));",
  "rma(yi, vi, method=, control=list(threshold=1e-15, tol=1e-15, maxiter=1e5))$se.tau2, GENQ with weights=1/sqrt(vi);",
  "permutest(rma(yi, vi, method=, test=), exact=TRUE, permci=, control=list(tol=1e-6))"
)
source_record <- fields(
  c("software", "r_version", "metafor_version", "metadat_version", "date", "script", "call"),
  paste0('"', c(
    "R", paste(R.version$major, R.version$minor, sep = "."), as.character(packageVersion("metafor")),
    as.character(packageVersion("metadat")), "2026-11-23", "tests/reference/make/mean_intervals.R", call
  ), '"')
)

out <- file("tests/reference/mean_intervals.json", open = "wb")
writeLines(fields(
  c("source", "cases", "with_moderators", "permutations"),
  c(source_record, fields(names(cases), cases), with_moderators,
    paste0("[", paste(permutations, collapse = ",\n"), "]"))
), out, sep = "\n", useBytes = TRUE)
close(out)
