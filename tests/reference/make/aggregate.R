# Writes tests/reference/aggregate.json: what metafor's aggregate() makes of several effects a study.
# Run from the repository's root: Rscript tests/reference/make/aggregate.R

source("tests/reference/make/fits.R")

# metafor's result by study, in order of first appearance.
combined <- function(effects, study, weighted, ...) {
  effects$study <- as.character(study)
  done <- aggregate(effects, cluster = study, weighted = weighted, ...)
  done <- done[match(unique(effects$study), as.character(done$study)), ]
  list(study = as.character(done$study), yi = as.numeric(done$yi), vi = as.numeric(done$vi))
}

json_case_of_aggregate <- function(name, call, effects, study, correlation, extra = list(), ...) {
  results <- vapply(c("TRUE", "FALSE"), function(weighted) {
    done <- combined(effects, study, as.logical(weighted), ...)
    json_object(
      c("weighted", "study", "yi", "vi"),
      c(tolower(weighted), json_texts(done$study), json_numbers(done$yi), json_numbers(done$vi))
    )
  }, "")
  extras <- vapply(names(extra), function(key) paste0('"', key, '": ', json_numbers(extra[[key]]), ",\n"), "")
  paste0(
    "{\n",
    '"name": ', json_text(name), ",\n",
    '"call": ', json_text(call), ",\n",
    '"study": ', json_texts(as.character(study)), ",\n",
    '"yi": ', json_numbers(as.numeric(effects$yi)), ",\n",
    '"vi": ', json_numbers(as.numeric(effects$vi)), ",\n",
    paste(extras, collapse = ""),
    '"correlation": ', correlation, ",\n",
    '"results": [\n', paste(results, collapse = ",\n"), "\n]\n}"
  )
}

json_rows <- function(matrix) paste0("[\n", paste(apply(matrix, 1, json_numbers), collapse = ",\n"), "\n]")
plain <- function(yi, vi) escalc(measure = "GEN", yi = yi, vi = vi)
together <- function(study) outer(study, study, "==")
with_correlation <- function(matrix, vi) matrix * sqrt(outer(vi, vi))

# Correlations of every study's effects, from as many random directions as make them neither strong nor weak.
random_correlations <- function(study) {
  directions <- matrix(rnorm(length(study) * 6), ncol = 6) + 1
  found <- cov2cor(tcrossprod(directions) + diag(length(study)))
  signif(found, 8) * together(study)
}

gleser_olkin <- function(yi, vi, n1, n2, correlation) {
  found <- correlation * outer(1 / n1 + 1 / n2, rep(1, length(yi))) +
    correlation^2 * outer(yi, yi) / outer(2 * (n1 + n2), rep(1, length(yi)))
  diag(found) <- vi
  found
}

cs <- 'aggregate(x, cluster=, struct="CS", rho=, weighted=)'
cases <- character(0)
add <- function(...) cases <<- c(cases, json_case_of_aggregate(...))
add_cs <- function(name, effects, study, rho) {
  add(sprintf("%s_rho%g", name, rho), cs, effects, study, json_number(rho), struct = "CS", rho = rho)
}

farber <- read.csv("data/datasets/farber_doolin2011_effects/effects.csv", na.strings = "")
for (measure in c("COR", "ZCOR")) {
  effects <- escalc(measure = measure, ri = farber$r, ni = farber$n)
  for (rho in c(0.5, 0, 0.95, -0.015)) add_cs(paste0("farber_doolin2011_effects_", measure), effects, farber$study, rho)
}
for (rho in c(0.6, 0.3)) add_cs("assink2016", plain(dat.assink2016$yi, dat.assink2016$vi), dat.assink2016$study, rho)
crede <- escalc(measure = "ZCOR", ri = ri, ni = ni, data = dat.crede2010)
add_cs("crede2010_ZCOR", plain(crede$yi, crede$vi), crede$studyid, 0.5)
add_cs("knapp2017", plain(dat.knapp2017$yi, dat.knapp2017$vi), dat.knapp2017$study, 0.4)

RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(20260114)
for (i in 1:6) {
  # 12 studies with 1 to 7 effects, their rows mixed; variances equal to wild
  study <- sample(rep(sprintf("s%d", 1:12), sample(1:7, 12, replace = TRUE)))
  k <- length(study)
  vi <- signif(c(1e-4, 0.02, 10)[(i - 1) %% 3 + 1] * 10^runif(k, -c(0, 1, 3)[(i + 1) %% 3 + 1], c(0, 1, 3)[(i + 1) %% 3 + 1]), 6)
  yi <- signif(rnorm(k, 0.3, sqrt(vi)), 6)
  add_cs(sprintf("random%d", i), plain(yi, vi), study, c(0.5, 0.8, 0.99, 0, 0.2, -0.1)[i])

  # a correlation for each study
  rho <- signif(runif(12, 0, 0.9), 4)
  names(rho) <- unique(study)
  add(sprintf("random%d_by_study", i), cs, plain(yi, vi), study, json_numbers(rho[study]), struct = "CS", rho = unname(rho))

  # a matrix
  correlation <- random_correlations(study)
  add(
    sprintf("random%d_matrix", i), "aggregate(x, cluster=, V=correlation * sqrt(vi vj), weighted=)",
    plain(yi, vi), study, json_rows(correlation), V = with_correlation(correlation, vi)
  )

  # standardized mean differences on several outcomes of the same two groups
  n1 <- sample(8:90, 12, replace = TRUE)[match(study, unique(study))]
  n2 <- sample(8:90, 12, replace = TRUE)[match(study, unique(study))]
  g <- signif(rnorm(k, 0.5, 0.4), 4)
  smd <- plain(g, 1 / n1 + 1 / n2 + g^2 / (2 * (n1 + n2)))
  for (equal in c(TRUE, FALSE)) {
    rho <- c(0.5, 0.8, 0.3, 0, 0.9, -0.1)[i]
    matrix <- if (equal) ifelse(diag(k) == 1, 1, rho) * together(study) else correlation
    add(
      sprintf("smd%d_%s", i, if (equal) sprintf("rho%g", rho) else "matrix"),
      "aggregate(x, cluster=, V=Gleser & Olkin's covariances, weighted=)",
      smd, study, if (equal) json_number(rho) else json_rows(matrix), list(n1 = n1, n2 = n2),
      V = gleser_olkin(g, smd$vi, n1, n2, matrix)
    )
  }
}

source_record <- json_object(
  c("software", "r_version", "metafor_version", "metadat_version", "date", "script", "call"),
  vapply(c(
    "R", paste(R.version$major, R.version$minor, sep = "."), as.character(packageVersion("metafor")),
    as.character(packageVersion("metadat")), "2026-11-23", "tests/reference/make/aggregate.R",
    "aggregate(): each case's 'call' says how; 'results' has weighted=TRUE and weighted=FALSE"
  ), json_text, "")
)
out <- file("tests/reference/aggregate.json", open = "wb")
writeLines(
  paste0('{\n"source": ', source_record, ',\n"cases": [\n', paste(cases, collapse = ",\n"), "\n]\n}"),
  out, sep = "\n", useBytes = TRUE
)
close(out)
