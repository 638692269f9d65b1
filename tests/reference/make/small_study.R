# Writes tests/reference/small_study.json: what metafor and clubSandwich make of published and of random sets.
# Run from the repository's root: Rscript tests/reference/make/small_study.R

source("tests/reference/make/fits.R")
source("tests/reference/make/small_study_fits.R")

plain <- function(data) as.numeric(c(data$yi))
bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
molloy <- escalc(measure = "ZCOR", ri = ri, ni = ni, data = dat.molloy2014)
mcdaniel <- escalc(measure = "ZCOR", ri = ri, ni = ni, data = dat.mcdaniel1994)
hackshaw <- dat.hackshaw1998
teachers <- dat.raudenbush1985
writing <- dat.bangertdrowns2004
school <- dat.konstantopoulos2011
assink <- dat.assink2016

published <- c(
  small_study_set("bcg", plain(bcg), bcg$vi, with(bcg, tpos + tneg + cpos + cneg)),
  small_study_set("molloy2014", plain(molloy), molloy$vi, molloy$ni),
  small_study_set("hackshaw1998", plain(hackshaw), hackshaw$vi),
  small_study_set("mcdaniel1994", plain(mcdaniel), mcdaniel$vi, mcdaniel$ni),
  small_study_set("raudenbush1985", plain(teachers), teachers$vi, teachers$n1i + teachers$n2i),
  small_study_set("bangertdrowns2004", plain(writing), writing$vi, writing$ni),
  small_study_set("konstantopoulos2011", plain(school), school$vi, cluster = school$district),
  small_study_set("assink2016", plain(assink), assink$vi, cluster = assink$study)
)

rounded <- function(x) signif(x, 6)
random_set <- function(number) {
  k <- c(3, 4, 5, 8, 12, 20, 40, 60)[number %% 8 + 1]
  scale <- sample(c(1e-3, 0.05, 1), 1)
  ni <- sample(10:500, k, replace = number %% 3 == 0)
  vi <- rounded(scale * 50 / ni * exp(rnorm(k, 0, 0.2)))
  tau2 <- scale * sample(c(0, 1, 4), 1)
  yi <- rounded(rnorm(k, 0.3 + sample(c(0, 1), 1) * sqrt(vi), sqrt(vi + tau2)))
  if (number %% 5 == 0) {
    yi <- round(yi, 1)
    vi <- signif(vi, 1)
  }
  cluster <- if (number %% 2 && k >= 8) sample(rep(seq_len(ceiling(k / 2)), length.out = k))
  small_study_set(sprintf("random%02d", number), yi, vi, ni, cluster)
}
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(1997)
random <- vapply(1:24, random_set, "")

call <- paste(
  "regtest(yi, vi, ni, model='lm', predictor); regtest(rma(yi, vi, ni, method, test), model='rma', predictor): slope,",
  "standard error, statistic, df, p, limit, ci.lb, ci.ub, and dispersion or tau2; ranktest(yi, vi): tau, p;",
  "coef_test(rma(yi, vi, mods=predictor, method='REML'), vcov='CR2', cluster, test='Satterthwaite'): estimate,",
  "standard error, df, p of slope and intercept"
)
versions <- vapply(c("metafor", "metadat", "clubSandwich"), function(name) as.character(packageVersion(name)), "")
source_record <- json_object(
  c("software", "r_version", paste0(names(versions), "_version"), "date", "script", "call"),
  vapply(c(
    "R", paste(R.version$major, R.version$minor, sep = "."), versions, "2026-11-23",
    "tests/reference/make/small_study.R", call
  ), json_text, "")
)
out <- file("tests/reference/small_study.json", open = "wb")
writeLines(paste0(
  '{\n"source": ', source_record, ',\n"sets": [\n', paste(c(published, random), collapse = ",\n"), "\n]\n}"
), out, sep = "\n", useBytes = TRUE)
close(out)
