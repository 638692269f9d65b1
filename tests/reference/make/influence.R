# Writes tests/reference/influence.json: what metafor's influence(), leave1out(), cumul() and baujat() make of published
# and random sets of effects. Run from the repository's root: Rscript tests/reference/make/influence.R
# With arguments, sets.json and answers.json, it answers the sets of the live comparison instead.

suppressPackageStartupMessages(library(metafor))

# as closely as the arithmetic allows, since thresholds are absolute
control_of <- function(y, v, method) {
  if (!method %in% c("REML", "ML")) return(list())
  rough <- rma(y, v, method = "DL")
  list(threshold = max(1e-13, 64 * .Machine$double.eps * (rough$tau2 + 1 / mean(1 / v))), maxiter = 10000)
}

quietly <- function(expr) suppressWarnings(suppressMessages(expr))

answer <- function(name, y, v, x, order, method, test) {
  control <- control_of(y, v, method)
  fit <- if (is.null(x)) {
    quietly(rma(y, v, method = method, test = test, control = control))
  } else {
    quietly(rma(y, v, mods = x, method = method, test = test, control = control))
  }
  found <- quietly(influence(fit))
  inf <- found$inf
  made <- list(
    name = name, tau2_method = method, test = test, rstudent = inf$rstudent, dffits = inf$dffits,
    cooks_distance = inf$cook.d, cov_ratio = inf$cov.r, tau2_deleted = inf$tau2.del, q_deleted = inf$QE.del,
    hat = inf$hat, weight = inf$weight, dfbetas = unname(as.matrix(as.data.frame(found$dfbs))),
    influential = unname(found$is.infl)
  )
  if (!is.null(x)) return(made)
  parts <- c(
    estimate = "estimate", std_error = "se", ci_low = "ci.lb", ci_high = "ci.ub", q_statistic = "Q", tau2 = "tau2",
    i2 = "I2", h2 = "H2"
  )
  of <- function(each) lapply(parts, function(part) as.numeric(each[[part]]))
  made$without <- of(quietly(leave1out(fit)))
  made$order <- order
  made$cumulative <- of(quietly(cumul(fit, order = order)))
  grDevices::pdf(NULL)
  drawn <- quietly(baujat(fit))
  grDevices::dev.off()
  made$baujat <- list(heterogeneity = drawn$x, influence = drawn$y)
  made
}

fits <- function(name, y, v, x = NULL, order = NULL, methods = c("REML", "DL", "EE"), tests = c("z", "knha")) {
  y <- as.numeric(y)
  v <- as.numeric(v)
  x <- if (!is.null(x)) unname(as.matrix(x))
  order <- if (is.null(order)) seq_along(y) else as.numeric(order)
  answers <- list()
  for (method in methods) for (test in tests) {
    answers <- c(answers, list(answer(name, y, v, x, order, method, test)))
  }
  list(name = name, yi = y, vi = v, x = x, fits = answers)
}

as_json <- function(object) jsonlite::toJSON(object, digits = I(17), na = "null", null = "null", auto_unbox = TRUE)

arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments) == 2) {
  asked <- jsonlite::fromJSON(arguments[1], simplifyVector = FALSE)
  answers <- lapply(asked, function(set) {
    y <- unlist(set$yi)
    x <- if (length(set$x)) matrix(unlist(set$x), nrow = length(y))
    fits(set$name, y, unlist(set$vi), x, methods = unlist(set$methods), tests = unlist(set$tests))
  })
  writeLines(as_json(answers), arguments[2])
  quit(save = "no")
}

correlations <- function(data) escalc(measure = "ZCOR", ri = ri, ni = ni, data = data)
bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
molloy <- correlations(dat.molloy2014)
mcdaniel <- correlations(dat.mcdaniel1994)
hackshaw <- dat.hackshaw1998
raudenbush <- dat.raudenbush1985
bangert <- dat.bangertdrowns2004

sets <- list(
  fits("bcg", bcg$yi, bcg$vi, order = dat.bcg$year),
  fits("bcg_ablat_year", bcg$yi, bcg$vi, cbind(dat.bcg$ablat, dat.bcg$year)),
  fits("molloy2014", molloy$yi, molloy$vi, order = molloy$year),
  fits("hackshaw1998", hackshaw$yi, hackshaw$vi, order = hackshaw$year),
  fits("raudenbush1985", raudenbush$yi, raudenbush$vi, order = raudenbush$year),
  fits("raudenbush1985_weeks", raudenbush$yi, raudenbush$vi, raudenbush$weeks),
  fits("bangertdrowns2004", bangert$yi, bangert$vi, order = bangert$year),
  fits("mcdaniel1994", mcdaniel$yi, mcdaniel$vi, methods = "REML", tests = "knha")
)

RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(2010)
for (number in 1:12) {
  k <- c(3, 4, 5, 8, 12, 20)[(number - 1) %% 6 + 1]
  scale <- c(1e-3, 0.05, 2)[(number - 1) %% 3 + 1]
  v <- signif(scale * exp(rnorm(k, 0, c(0.1, 1)[number %% 2 + 1])), 8)
  y <- signif(rnorm(k, 0.3, sqrt(v + scale * c(0, 1, 5)[number %% 3 + 1])), 8)
  x <- if (number > 6 && k > 5) signif(cbind(rnorm(k), rnorm(k) > 0), 6)
  sets <- c(sets, list(fits(sprintf("random%02d", number), y, v, x)))
}

made <- list(
  source = list(
    software = "R", r_version = paste(R.version$major, R.version$minor, sep = "."),
    metafor_version = as.character(packageVersion("metafor")),
    metadat_version = as.character(packageVersion("metadat")), date = "2026-11-23",
    script = "tests/reference/make/influence.R",
    call = paste(
      "influence(), leave1out(), cumul(order), baujat() of rma(yi, vi, mods, method, test); threshold 1e-13 or what the",
      "arithmetic allows. 'weight' in percent; 'dfbetas' by rows of effects; the intercept is not in 'x'"
    )
  ),
  sets = sets
)
writeLines(as_json(made), "tests/reference/influence.json")
