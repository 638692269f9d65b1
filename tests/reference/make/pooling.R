# Writes tests/reference/pooling.json: what metafor makes of published and random sets of effects.
# Run from the repository's root: Rscript tests/reference/make/pooling.R

source("tests/reference/make/fits.R")

correlations <- function(data, measure) escalc(measure = measure, ri = ri, ni = ni, data = data)

# escalc() takes Cohen's d and multiplies it by the exact small-sample factor J; the articles report g = J d.
from_g <- function(g, n1, n2) {
  m <- n1 + n2 - 2
  factor <- exp(lgamma(m / 2) - log(sqrt(m / 2)) - lgamma((m - 1) / 2))
  escalc(measure = "SMD", di = g / factor, n1i = n1, n2i = n2, vtype = "LS")
}

own <- function(id) read.csv(file.path("data/datasets", id, "effects.csv"))
as_ri <- function(data) data.frame(ri = data$r, ni = data$n)

kolden <- as_ri(own("kolden2011"))
farber <- as_ri(own("farber_doolin2011"))
benish <- own("benish2011")
benish[is.na(benish$n1) & is.na(benish$n2), c("n1", "n2")] <-
  benish$n[is.na(benish$n1) & is.na(benish$n2)] / 2
munder <- own("munder2012")

published <- list(
  molloy2014_ZCOR = list("ZCOR", correlations(dat.molloy2014, "ZCOR")),
  molloy2014_COR = list("COR", correlations(dat.molloy2014, "COR")),
  mcdaniel1994_ZCOR = list("ZCOR", correlations(dat.mcdaniel1994, "ZCOR")),
  bcg_RR = list("RR", escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)),
  normand1999_SMD = list("SMD", escalc(
    measure = "SMD", m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i, data = dat.normand1999
  )),
  normand1999_MD = list("MD", escalc(
    measure = "MD", m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i, data = dat.normand1999
  )),
  hackshaw1998_GEN = list("GEN", dat.hackshaw1998),
  bangertdrowns2004_GEN = list("GEN", dat.bangertdrowns2004),
  raudenbush1985_GEN = list("GEN", dat.raudenbush1985),
  linde2005_RR = list("RR", escalc(measure = "RR", ai = ai, n1i = n1i, ci = ci, n2i = n2i, data = dat.linde2005)),
  kolden2011_COR = list("COR", correlations(kolden, "COR")),
  kolden2011_ZCOR = list("ZCOR", correlations(kolden, "ZCOR")),
  farber_doolin2011_COR = list("COR", correlations(farber, "COR")),
  farber_doolin2011_ZCOR = list("ZCOR", correlations(farber, "ZCOR")),
  benish2011_SMD = list("SMD", from_g(benish$g, benish$n1, benish$n2)),
  munder2012_SMD = list("SMD", from_g(munder$g, munder$n / 2, munder$n / 2))
)

sets <- list()
for (name in names(published)) {
  effects <- published[[name]][[2]]
  there <- !is.na(effects$yi) & !is.na(effects$vi)
  sets[[name]] <- list(
    measure = published[[name]][[1]], yi = as.numeric(effects$yi)[there], vi = as.numeric(effects$vi)[there]
  )
}

# Random sets: sizes from 2 to 200, variances equal, mildly and wildly unequal (six orders of magnitude),
# heterogeneity none to huge, and effects that agree better than chance, whose tau2 is estimated as 0.
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(20110301)
sizes <- c(2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 25, 30, 50, 100, 200)
spreads <- c("equal", "mild", "wild")
multiples <- c(0, 0.05, 0.5, 5, 1e4, -1) # of the harmonic mean variance; -1: half the sampling error
for (i in 1:60) {
  k <- sizes[(i - 1) %% length(sizes) + 1]
  spread <- spreads[(i + (i - 1) %/% length(sizes)) %% 3 + 1]
  multiple <- multiples[(i * 7 + (i - 1) %/% 6) %% 6 + 1]
  size <- sample(c(1e-4, 0.01, 0.01, 0.05, 10), 1)
  vi <- size * switch(spread, equal = rep(1, k), mild = exp(rnorm(k, 0, 0.7)), wild = 10^runif(k, -3, 3))
  vi <- signif(vi, 6)
  typical <- 1 / mean(1 / vi)
  error <- if (multiple < 0) 0.5 else 1
  yi <- rnorm(k, sample(c(0, 0.3, 3), 1) * sqrt(size), sqrt(max(multiple, 0) * typical)) + error * rnorm(k, 0, sqrt(vi))
  heterogeneity <- if (multiple < 0) "agreeing" else sprintf("tau2x%g", multiple)
  sets[[sprintf("random%02d_k%d_%s_%s", i, k, spread, heterogeneity)]] <-
    list(measure = "GEN", yi = signif(yi, 6), vi = vi)
}

# Sets whose restricted likelihood has two maxima; metafor's Fisher scoring ends in the lower one.
sets$two_maxima_metafor_at_the_far_one <- list(
  measure = "GEN", yi = c(-0.21558, 0.71116, 22.19), vi = c(0.043765, 0.091771, 78.574)
)
sets$two_maxima_metafor_at_zero_k5 <- list(
  measure = "GEN",
  yi = c(0.023421, -0.0082387, -3.6073, 4.1793, 0.36983), vi = c(0.037807, 0.0036368, 1.0796, 34.461, 4.0872)
)
sets$two_maxima_metafor_at_zero_k6 <- list(
  measure = "GEN",
  yi = c(-0.43705, 0.016253, 0.030062, -1.0712, 3.3639, -0.59424),
  vi = c(0.27462, 0.0004897, 0.00020112, 1.8415, 22.346, 0.043982)
)
# Two maxima of which metafor notices that 0 is the higher one (its warning is recorded).
sets$two_maxima_zero_is_higher <- list(
  measure = "GEN",
  yi = c(0.25796, -0.50405, -3.1485, -0.7995, 0.053989, 12.217),
  vi = c(0.029769, 0.36095, 5.3011, 0.27579, 0.00075281, 9.6119)
)

cases <- vapply(names(sets), function(name) {
  set <- sets[[name]]
  json_case(name, set$measure, set$yi, set$vi, fit_all(set$yi, set$vi))
}, "")

rows <- list(
  list("ZCOR", 'escalc(measure = "ZCOR", ri = ri, ni = ni)', dat.molloy2014$ri, dat.molloy2014$ni,
       correlations(dat.molloy2014, "ZCOR")),
  list("COR", 'escalc(measure = "COR", ri = ri, ni = ni)', kolden$ri, kolden$ni, correlations(kolden, "COR")),
  list("ZCOR", 'escalc(measure = "ZCOR", ri = ri, ni = ni)', kolden$ri, kolden$ni, correlations(kolden, "ZCOR")),
  list("COR", 'escalc(measure = "COR", ri = ri, ni = ni)', dat.mcdaniel1994$ri, dat.mcdaniel1994$ni,
       correlations(dat.mcdaniel1994, "COR")),
  list("ZCOR", 'escalc(measure = "ZCOR", ri = ri, ni = ni)', dat.mcdaniel1994$ri, dat.mcdaniel1994$ni,
       correlations(dat.mcdaniel1994, "ZCOR"))
)
g_call <- 'escalc(measure = "SMD", di = g / J, n1i = n1, n2i = n2, vtype = "LS"), J = metafor\'s exact factor'
escalc_rows <- c(
  vapply(rows, function(row) paste0(
    '{"measure": ', json_text(row[[1]]), ', "call": ', json_text(row[[2]]),
    ',\n"r": ', json_numbers(row[[3]]), ',\n"n": ', json_numbers(row[[4]]),
    ',\n"yi": ', json_numbers(as.numeric(row[[5]]$yi)), ',\n"vi": ', json_numbers(row[[5]]$vi), "}"
  ), ""),
  vapply(list(list(benish$g, benish$n1, benish$n2), list(munder$g, munder$n / 2, munder$n / 2)), function(row) {
    effects <- from_g(row[[1]], row[[2]], row[[3]])
    paste0(
      '{"measure": "SMD", "call": ', json_text(g_call),
      ',\n"g": ', json_numbers(row[[1]]), ',\n"n1": ', json_numbers(row[[2]]), ',\n"n2": ', json_numbers(row[[3]]),
      ',\n"yi": ', json_numbers(as.numeric(effects$yi)), ',\n"vi": ', json_numbers(effects$vi), "}"
    )
  }, "")
)

call <- paste(
  "rma(yi, vi, method=, test=, control=list(threshold=1e-12, maxiter=1000));",
  "confint(..., control=list(tol=1e-13, maxiter=10000)); predict().",
  "Both stopping rules are absolute: where the data are small or large in scale they are set to fit, and each fit's",
  "'control' and each case's 'confint_control' hold the values used"
)
source_record <- json_object(
  c("software", "r_version", "metafor_version", "metadat_version", "date", "script", "call"),
  vapply(c(
    "R", paste(R.version$major, R.version$minor, sep = "."), as.character(packageVersion("metafor")),
    as.character(packageVersion("metadat")), "2026-11-23", "tests/reference/make/pooling.R", call
  ), json_text, "")
)

out <- file("tests/reference/pooling.json", open = "wb")
writeLines(paste0(
  '{\n"source": ', source_record, ',\n"cases": [\n', paste(cases, collapse = ",\n"),
  '\n],\n"escalc": [\n', paste(escalc_rows, collapse = ",\n"), "\n]\n}"
), out, sep = "\n", useBytes = TRUE)
close(out)
