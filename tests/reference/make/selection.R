# Writes tests/reference/selection.json: what metafor makes of published and random sets under step-function selection.
# Run from the repository's root: Rscript tests/reference/make/selection.R

source("tests/reference/make/fits.R")
source("tests/reference/make/selection_fits.R")

columns <- function(formula, data) unname(model.matrix(formula, data))
ones <- function(data) matrix(1, nrow(data))

bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
molloy <- escalc(measure = "ZCOR", ri = ri, ni = ni, data = dat.molloy2014)
mcdaniel <- escalc(measure = "ZCOR", ri = ri, ni = ni, data = dat.mcdaniel1994)
cohen <- escalc(measure = "ZCOR", ri = ri, ni = ni, data = dat.cohen1981)
hackshaw <- dat.hackshaw1998
raudenbush <- dat.raudenbush1985
bangert <- dat.bangertdrowns2004
structured <- subset(mcdaniel, !is.na(struct))

# Steps and relative likelihoods as in the help page of metafor's selmodel(), there after Vevea and Woods (2005).
woods <- c(0.005, 0.01, 0.05, 0.10, 0.25, 0.35, 0.50, 0.65, 0.75, 0.90, 0.95, 0.99, 0.995, 1)
given <- list(
  "severe one-sided" = c(1, 0.99, 0.90, 0.75, 0.60, 0.50, 0.40, 0.35, 0.30, 0.25, 0.10, 0.10, 0.10, 0.10),
  "moderate two-sided" = c(1, 0.99, 0.95, 0.90, 0.80, 0.75, 0.60, 0.60, 0.75, 0.80, 0.90, 0.95, 0.99, 1.00),
  "severe two-sided" = c(1, 0.99, 0.90, 0.75, 0.60, 0.50, 0.25, 0.25, 0.50, 0.60, 0.75, 0.90, 0.99, 1.00)
)

one <- function(name, data, x, steps, ...) selection_set(name, c(data$yi), c(data$vi), x, steps, ...)
published <- c(
  one("bcg", bcg, ones(bcg), 0.025, "less", ends = TRUE),
  one("bcg two-sided", bcg, ones(bcg), 0.05, "two.sided"),
  one("bcg ablat", bcg, columns(~ablat, bcg), 0.025, "less"),
  one("bcg EE", bcg, ones(bcg), c(0.025, 0.5), "less", "EE"),
  one("molloy2014", molloy, ones(molloy), 0.025),
  one("molloy2014 two steps", molloy, ones(molloy), c(0.025, 0.5)),
  one("hackshaw1998", hackshaw, ones(hackshaw), c(0.025, 0.1, 0.5), ends = TRUE),
  one("hackshaw1998 EE", hackshaw, ones(hackshaw), c(0.025, 0.5), method = "EE"),
  one("mcdaniel1994", mcdaniel, ones(mcdaniel), 0.025, ends = TRUE),
  one("mcdaniel1994 four steps", mcdaniel, ones(mcdaniel), c(0.01, 0.025, 0.1, 0.5)),
  one("mcdaniel1994 struct", structured, columns(~struct, structured), c(0.025, 0.5)),
  one("mcdaniel1994 two-sided", mcdaniel, ones(mcdaniel), c(0.05, 0.2), "two.sided"),
  one("raudenbush1985", raudenbush, ones(raudenbush), c(0.025, 0.5)),
  one("raudenbush1985 weeks", raudenbush, columns(~weeks, raudenbush), 0.05),
  one("bangertdrowns2004", bangert, ones(bangert), 0.025),
  one("bangertdrowns2004 two steps", bangert, ones(bangert), c(0.025, 0.5)),
  one("bangertdrowns2004 two-sided", bangert, ones(bangert), c(0.05, 0.1, 0.5), "two.sided"),
  unlist(lapply(names(given), function(kind) {
    one(paste("cohen1981", kind), cohen, ones(cohen), woods, delta = given[[kind]])
  }))
)

rounded <- function(x) signif(x, 6)
random_set <- function(number) {
  k <- sample(c(15, 25, 40, 80), 1)
  alternative <- c("greater", "less", "two.sided")[number %% 3 + 1]
  steps <- list(0.025, c(0.025, 0.5), c(0.05, 0.1, 0.5), c(0.01, 0.05, 0.2, 0.5))[[number %% 4 + 1]]
  candidates <- 40 * k
  vi <- 4 / sample(15:200, candidates, TRUE)
  x <- cbind(rep(1, candidates), if (number %% 2) rnorm(candidates), if (number %% 5 == 0) 1 * (runif(candidates) < 0.4))
  slope <- c(sample(c(0, 0.3), 1), 0.1, -0.2)[seq_len(ncol(x))]
  yi <- rnorm(candidates, x %*% slope, sqrt(vi + sample(c(0, 0.02, 0.1), 1)))
  z <- yi / sqrt(vi)
  p <- if (alternative == "two.sided") 2 * pnorm(-abs(z)) else pnorm(z, lower.tail = FALSE)
  kept <- which(runif(candidates) < ifelse(p < steps[1], 1, sample(c(0.2, 0.6), 1)))[seq_len(k)]
  sign <- if (alternative == "less") -1 else 1
  selection_set(sprintf("random%02d", number), rounded(sign * yi[kept]), rounded(vi[kept]),
                rounded(unname(x[kept, , drop = FALSE])), steps, alternative, if (number %% 7 == 0) "EE" else "ML")
}
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(1995)
random <- unlist(lapply(1:40, random_set))

call <- paste(
  "selmodel(rma(yi, vi, mods=x, method=tau2_method), type='stepfun', alternative, steps, delta=given); the best end of",
  "BFGS (reltol=1e-16), nlminb (rel.tol=1e-15) and Nelder-Mead (reltol=1e-16); intervals: confint(tol=1e-9)"
)
versions <- vapply(c("metafor", "metadat", "numDeriv"), function(name) as.character(packageVersion(name)), "")
source_record <- json_object(
  c("software", "r_version", paste0(names(versions), "_version"), "date", "script", "call"),
  vapply(c(
    "R", paste(R.version$major, R.version$minor, sep = "."), versions, "2026-11-23", "tests/reference/make/selection.R",
    call
  ), json_text, "")
)
out <- file("tests/reference/selection.json", open = "wb")
writeLines(paste0(
  '{\n"source": ', source_record, ',\n"published": [\n', paste(published, collapse = ",\n"),
  '\n],\n"random": [\n', paste(random, collapse = ",\n"), "\n]\n}"
), out, sep = "\n", useBytes = TRUE)
close(out)
