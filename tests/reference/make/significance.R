# Writes tests/reference/significance.json: metafor's fail-safe numbers and tests of excess significance, of published and
# random sets.
# Run from the repository's root: Rscript tests/reference/make/significance.R

source("tests/reference/make/significance_fits.R")

zcor <- function(data) escalc(measure = "ZCOR", ri = ri, ni = ni, data = data)
published <- list(
  bcg = escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg),
  molloy2014 = zcor(dat.molloy2014),
  hackshaw1998 = dat.hackshaw1998,
  mcdaniel1994 = zcor(subset(dat.mcdaniel1994, !is.na(ri))),
  raudenbush1985 = dat.raudenbush1985,
  bangertdrowns2004 = dat.bangertdrowns2004,
  dorn2007 = escalc(measure = "RR", ai = x.a, n1i = n.a, ci = x.p, n2i = n.p, data = dat.dorn2007)
)
sets <- lapply(names(published), function(name) one_set(name, published[[name]]$yi, published[[name]]$vi))

RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(1979)
random <- lapply(1:20, function(i) {
  k <- sample(c(2, 3, 5, 8, 12), 1)
  scale <- sample(c(1e-3, 0.05, 1), 1)
  vi <- signif(scale * exp(rnorm(k, 0, sample(c(0.1, 1), 1))), 6)
  yi <- signif(rnorm(k, sample(c(-1.5, 0.5, 2), 1) * sqrt(scale), sqrt(vi + sample(c(0, 1), 1) * scale)), 6)
  one_set(sprintf("random%02d", i), yi, vi)
})

# metafor 3.8 adds null studies at random for type "REM": numbers with the error of 2,000 repetitions a step.
set.seed(2005)
monte_carlo <- lapply(list(c("bcg", -0.3571), c("bcg", -0.2), c("raudenbush1985", 0.04), c("molloy2014", 0.07)), function(one) {
  data <- published[[one[1]]]
  target <- as.numeric(one[2])
  found <- fsn(as.numeric(data$yi), as.numeric(data$vi), type = "REM", target = target, iters = 2000)
  list(name = one[1], target = target, number = found$fsnum)
})

source_record <- list(
  software = "R", r_version = paste(R.version$major, R.version$minor, sep = "."),
  metafor_version = as.character(packageVersion("metafor")), metadat_version = as.character(packageVersion("metadat")),
  date = "2026-11-23", script = "tests/reference/make/significance.R",
  call = paste(
    "fsn(yi, vi, type); tes(yi, vi, alternative, theta, tau2, test, rel.tol=1e-10), whose limits have uniroot()'s default",
    "tolerance; general: rma() of the effects and N null studies, N = 0, 1, ...; monte_carlo: fsn(type='REM', iters=2000)"
  )
)
writeLines(as_json(list(source = source_record, sets = c(sets, random), monte_carlo = monte_carlo)),
           "tests/reference/significance.json", useBytes = TRUE)
