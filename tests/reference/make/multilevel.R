# Writes tests/reference/multilevel.json: what metafor's rma.mv makes of published and simulated nested effects.
# Run from the repository's root: Rscript tests/reference/make/multilevel.R

source("tests/reference/make/fits.R")
source("tests/reference/make/regression_fits.R")
source("tests/reference/make/multilevel_fits.R")

of <- function(name, data, groups, formula = "1", rho = NULL, intervals = FALSE) {
  columns <- if (formula == "1") character(0) else all.vars(as.formula(paste("~", formula)))
  plain <- function(x) if (is.numeric(data[[x]])) data[[x]] else as.character(data[[x]])
  list(
    name = name, formula = formula, yi = as.numeric(data$yi), vi = as.numeric(data$vi),
    data = lapply(setNames(columns, columns), plain),
    groups = lapply(setNames(groups, groups), function(x) as.character(data[[x]])), rho = rho, intervals = intervals
  )
}

konstantopoulos <- dat.konstantopoulos2011
assink <- dat.assink2016
farber <- read.csv("data/datasets/farber_doolin2011_effects/effects.csv", na.strings = "")
farber <- escalc(measure = "ZCOR", ri = r, ni = n, data = farber)
bornmann <- escalc(measure = "OR", ai = waward, n1i = wtotal, ci = maward, n2i = mtotal, data = dat.bornmann2007)
crede <- escalc(measure = "ZCOR", ri = ri, ni = ni, data = dat.crede2010)
tanner <- dat.tannersmith2016
kalaian <- dat.kalaian1996
kalaian$outcome <- as.character(kalaian$outcome)
mccurdy <- dat.mccurdy2020

# One correlation a study, the same in all of its rows.
per_study <- c(0.2, 0.5, 0.8)[match(farber$study, unique(farber$study)) %% 3 + 1]

RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(2011)
simulated <- function(labs, sigma2, rho = 0) {
  lab <- rep(seq_len(labs), times = sample(2:4, labs, replace = TRUE))
  within <- ave(lab, lab, FUN = seq_along)
  rows <- rep(seq_along(lab), times = sample(1:4, length(lab), replace = TRUE))
  k <- length(rows)
  vi <- signif(0.04 * exp(rnorm(k, 0, 0.6)), 6)
  x <- signif(rnorm(k), 4)
  level <- sample(c("yes", "no"), length(lab), replace = TRUE)[rows]
  y <- 0.3 + 0.1 * x + rnorm(labs, 0, sqrt(sigma2[3]))[lab[rows]] + rnorm(length(lab), 0, sqrt(sigma2[2]))[rows]
  errors <- sqrt(rho) * rnorm(length(lab))[rows] + sqrt(1 - rho) * rnorm(k)
  y <- signif(y + rnorm(k, 0, sqrt(sigma2[1])) + sqrt(vi) * errors, 6)
  # study labels begin anew in every laboratory
  data.frame(yi = y, vi = vi, x = x, level = level, study = paste0("s", within[rows]), lab = paste0("l", lab[rows]))
}
four <- simulated(15, c(0.03, 0.02, 0.05))
nothing <- simulated(10, c(0, 0, 0))
wide <- simulated(12, c(0.3, 0.001, 0.2), rho = 0.5)

sets <- list(
  of("konstantopoulos2011", konstantopoulos, "district", intervals = TRUE),
  of("konstantopoulos2011_year", konstantopoulos, "district", "year"),
  of("assink2016", assink, "study"),
  of("assink2016_che6", assink, "study", rho = 0.6, intervals = TRUE),
  of("assink2016_che6_moderators", assink, "study", "year + deltype", rho = 0.6),
  of("farber_doolin2011", farber, "study", intervals = TRUE),
  of("farber_doolin2011_che3", farber, "study", rho = 0.3),
  of("farber_doolin2011_che6", farber, "study", rho = 0.6, intervals = TRUE),
  of("farber_doolin2011_che8", farber, "study", rho = 0.8),
  of("farber_doolin2011_raters", farber, "study", "outcome_rater + predictor_rater"),
  of("farber_doolin2011_year_che6", farber, "study", "year + outcome_rater", rho = 0.6),
  of("farber_doolin2011_per_study", farber, "study", rho = per_study),
  of("bornmann2007", bornmann, "study"),
  of("bornmann2007_type", bornmann, "study", "type"),
  of("crede2010", crede, "studyid", intervals = TRUE),
  of("crede2010_criterion", crede, "studyid", "criterion"),
  of("tannersmith2016_che6", tanner, "studyid", "aget1 + propmale", rho = 0.6),
  of("kalaian1996_che66", kalaian, "study", "0 + outcome", rho = 0.66),
  of("mccurdy2020", mccurdy, c("sample", "experiment", "article")),
  of("simulated_four_levels", four, c("study", "lab"), intervals = TRUE),
  of("simulated_four_levels_x", four, c("study", "lab"), "x + level"),
  of("simulated_nothing", nothing, c("study", "lab"), "1"),
  of("simulated_wide_che5", wide, c("study", "lab"), "x", rho = 0.5),
  of("simulated_wide_decay", wide, c("study", "lab"), "1", rho = list(0.7))
)

case <- function(set) {
  model <- model_of(set)
  large <- length(set$yi) > 300
  fits <- vapply(if (large) "REML" else c("REML", "ML"), function(method) {
    fit <- best_mv(set, model, method, thorough = !large)
    more <- list()
    if (!large) more$level_tests <- json_level_tests(set, model, fit, method)
    if (set$intervals && method == "REML") more$intervals <- json_intervals(fit)
    json_fit(set, model, fit, method, more)
  }, "")
  message(set$name)
  json_multilevel(set, fits)
}
cases <- vapply(sets, case, "")

call <- paste(
  "rma.mv(yi, V, mods=X, intercept=FALSE, random=list(~1|id, ~1|study, ...), method=, test='t', dfs='contain',",
  "control=list(rel.tol=1e-12, 1e-10 or 1e-8)): the highest of nlminb from several starts,",
  "Nelder-Mead and nlminb again;",
  "anova(fit, fit with one sigma2 of 0); confint(fit, sigma2=, control=list(tol=1e-10)); I2 with the matrix P of the",
  "sampling covariances. sigma2: effects first, then the groups as in 'groups'. 'rho': within the innermost groups;",
  "decay: rho^|i - j| between rows i and j"
)
source_record <- json_object(
  c("software", "r_version", "metafor_version", "metadat_version", "date", "script", "call"),
  vapply(c(
    "R", paste(R.version$major, R.version$minor, sep = "."), as.character(packageVersion("metafor")),
    as.character(packageVersion("metadat")), "2026-11-23", "tests/reference/make/multilevel.R", call
  ), json_text, "")
)

out <- file("tests/reference/multilevel.json", open = "wb")
writeLines(paste0(
  '{\n"source": ', source_record, ',\n"coefficient_numbers": ', json_texts(FIT_NUMBERS),
  ',\n"cases": [\n', paste(cases, collapse = ",\n"), "\n]\n}"
), out, sep = "\n", useBytes = TRUE)
close(out)
