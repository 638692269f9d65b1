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
  cohen1981_ZCOR = list("ZCOR", correlations(dat.cohen1981, "ZCOR")),
  craft2003_ZCOR = list("ZCOR", correlations(dat.craft2003, "ZCOR")),
  crede2010_ZCOR = list("ZCOR", correlations(dat.crede2010, "ZCOR")),
  crede2010_COR = list("COR", correlations(dat.crede2010, "COR")),
  gibson2002_SMD = list("SMD", escalc(
    measure = "SMD", m1i = m1i, sd1i = sd1i, n1i = n1i, m2i = m2i, sd2i = sd2i, n2i = n2i, data = dat.gibson2002
  )),
  kalaian1996_GEN = list("GEN", dat.kalaian1996),
  knapp2017_GEN = list("GEN", dat.knapp2017),
  konstantopoulos2011_GEN = list("GEN", dat.konstantopoulos2011),
  michael2013_GEN = list("GEN", dat.michael2013),
  tannersmith2016_GEN = list("GEN", dat.tannersmith2016),
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
random_set <- function(i, k) {
  spread <- spreads[(i + (i - 1) %/% length(sizes)) %% 3 + 1]
  multiple <- multiples[(i * 7 + (i - 1) %/% 6) %% 6 + 1]
  size <- sample(c(1e-4, 0.01, 0.01, 0.05, 10), 1)
  vi <- size * switch(spread, equal = rep(1, k), mild = exp(rnorm(k, 0, 0.7)), wild = 10^runif(k, -3, 3))
  vi <- signif(vi, 6)
  typical <- 1 / mean(1 / vi)
  error <- if (multiple < 0) 0.5 else 1
  yi <- rnorm(k, sample(c(0, 0.3, 3), 1) * sqrt(size), sqrt(max(multiple, 0) * typical)) + error * rnorm(k, 0, sqrt(vi))
  heterogeneity <- if (multiple < 0) "agreeing" else sprintf("tau2x%g", multiple)
  list(
    name = sprintf("random%02d_k%d_%s_%s", i, k, spread, heterogeneity),
    set = list(measure = "GEN", yi = signif(yi, 6), vi = vi)
  )
}
for (i in 1:300) {
  # the first sixty have every size up to 200; after them there is one of more than 30 effects in every twenty
  at <- (i - 1) %% length(sizes) + 1
  k <- if (i <= 60) sizes[at] else if (at == 20) c(50, 100, 200)[(i / 20) %% 3 + 1] else sample(2:30, 1)
  made <- random_set(i, k)
  sets[[made$name]] <- made$set
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

# Weights of the mean, of the generalised Q, and of both, as in metafor's own method="GENQ".
weighting <- function(yi, vi, ni) {
  list(
    weights_n = list(methods = c("REML", "HS", "EE"), weights = ni),
    unweighted = list(methods = c("REML", "HE", "EE"), weights = "equal"),
    genq_n = list(methods = "GENQ", q_weights = ni),
    genq_root = list(methods = "GENQ", q_weights = 1 / sqrt(vi)),
    genq_n_both = list(methods = "GENQ", weights = ni, q_weights = ni),
    genq_root_both = list(methods = "GENQ", weights = 1 / sqrt(vi), q_weights = 1 / sqrt(vi))
  )
}
totals <- list(
  molloy2014_ZCOR = dat.molloy2014$ni,
  molloy2014_COR = dat.molloy2014$ni,
  mcdaniel1994_ZCOR = dat.mcdaniel1994$ni,
  bcg_RR = with(dat.bcg, tpos + tneg + cpos + cneg),
  normand1999_SMD = with(dat.normand1999, n1i + n2i),
  bangertdrowns2004_GEN = dat.bangertdrowns2004$ni,
  raudenbush1985_GEN = with(dat.raudenbush1985, n1i + n2i),
  kolden2011_ZCOR = kolden$ni
)
random <- grep("^random(0[1-9]|1[0-9]|20)_", names(sets), value = TRUE)
for (name in random) totals[[name]] <- sample(10:400, length(sets[[name]]$yi), replace = TRUE)
weighted <- unlist(lapply(names(totals), function(name) {
  set <- sets[[name]]
  stopifnot(length(totals[[name]]) == length(set$yi))
  ways <- weighting(set$yi, set$vi, totals[[name]])
  vapply(names(ways), function(way) {
    asked <- ways[[way]]
    done <- fit_all(set$yi, set$vi, asked$methods, weights = asked$weights, q_weights = asked$q_weights)
    json_case(paste0(name, "_", way), set$measure, set$yi, set$vi, done)
  }, "")
}))

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
  "rma(yi, vi, method=, test=, control=list(threshold=1e-12, maxiter=1000)); uniroot's tol=1e-300 for PM and PMM;",
  "DL2 and CA2: rma(method='GENQ', weights=1/(vi+tau2 of DL or HE)), then rma(tau2=);",
  "tests after the first with that fit's tau2; confint(..., control=list(tol=1e-13, maxiter=10000)); predict().",
  "The stopping rules are absolute: where the data are small or large in scale they are set to fit, and each fit's",
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
  '{\n"source": ', source_record, ',\n"test_numbers": ', json_texts(TEST_NUMBERS),
  ',\n"cases": [\n', paste(cases, collapse = ",\n"),
  '\n],\n"weighted": [\n', paste(weighted, collapse = ",\n"),
  '\n],\n"escalc": [\n', paste(escalc_rows, collapse = ",\n"), "\n]\n}"
), out, sep = "\n", useBytes = TRUE)
close(out)
