# Writes tests/reference/trim_fill.json: what metafor makes of published and random sets by trim and fill, and lm() by
# the regressions of a limit meta-analysis and of unrestricted weighted least squares.
# Run from the repository's root: Rscript tests/reference/make/trim_fill.R

source("tests/reference/make/trim_fill_fits.R")

bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
molloy <- escalc(measure = "ZCOR", ri = ri, ni = ni, data = dat.molloy2014)
mcdaniel <- escalc(measure = "ZCOR", ri = ri, ni = ni, data = dat.mcdaniel1994)
published <- list(
  bcg = bcg, molloy2014 = molloy, hackshaw1998 = dat.hackshaw1998, mcdaniel1994 = mcdaniel,
  raudenbush1985 = dat.raudenbush1985, bangertdrowns2004 = dat.bangertdrowns2004
)

data <- lapply(published, function(set) list(yi = c(set$yi), vi = set$vi))

sets <- list()
for (name in names(data)) {
  yi <- data[[name]]$yi
  vi <- data[[name]]$vi
  for (method in c("EE", "DL", "REML")) for (estimator in c("L0", "R0", "Q0")) for (side in list(NULL, "left", "right")) {
    sets <- c(sets, list(trimmed(name, yi, vi, method, estimator, side)))
  }
}

random_set <- function(number) {
  k <- sample(c(3:12, 20, 40), 1)
  vi <- signif(exp(rnorm(k, -3, 1)), 6)
  tau <- sample(c(0, 0.2), 1)
  yi <- signif(0.3 + rnorm(k) * sqrt(vi + tau^2) + sample(c(-2, 0, 2), 1) * sqrt(vi), 6)
  if (number %% 7 == 0) yi <- round(yi, 1)
  side <- sample(list(NULL, "left", "right"), 1)[[1]]
  name <- sprintf("random%03d", number)
  data[[name]] <<- list(yi = yi, vi = vi)
  trimmed(name, yi, vi, sample(c("EE", "DL", "REML"), 1), sample(c("L0", "R0", "Q0"), 1), side)
}

RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(2000)
sets <- c(sets, lapply(1:150, random_set))

adjusted <- unlist(lapply(names(published), function(name) {
  lapply(c("DL", "REML", "EE"), function(method) means(name, data[[name]]$yi, data[[name]]$vi, method))
}), recursive = FALSE)

source_block <- list(
  software = "R", r_version = paste(R.version$major, R.version$minor, sep = "."),
  metafor_version = as.character(packageVersion("metafor")), metadat_version = as.character(packageVersion("metadat")),
  date = as.character(Sys.Date()), script = "tests/reference/make/trim_fill.R",
  call = paste(
    "trimfill(rma(yi, vi, method), estimator, side); its centre and the filled fit again with rma() at threshold 1e-12;",
    "hc(rma(yi, vi, method='DL')); lm() for the radial regressions"
  )
)
write(
  toJSON(list(source = source_block, data = data, trim_fill = sets, adjusted = adjusted),
         auto_unbox = TRUE, digits = I(17), na = "null", null = "null"),
  "tests/reference/trim_fill.json"
)
