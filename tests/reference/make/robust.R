# Writes tests/reference/robust.json: what clubSandwich and robumeta make of published and random sets in clusters.
# Run from the repository's root: Rscript tests/reference/make/robust.R

source("tests/reference/make/fits.R")
source("tests/reference/make/robust_fits.R")
suppressPackageStartupMessages(library(robumeta))

columns <- function(formula, data = environment(formula)) unname(model.matrix(formula, data))

bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
school <- dat.konstantopoulos2011
assink <- dat.assink2016
farber <- read.csv("data/datasets/farber_doolin2011_effects/effects.csv", na.strings = "")
farber <- escalc(measure = "ZCOR", ri = r, ni = n, data = farber)
raters <- factor(farber$predictor_rater, levels = unique(farber$predictor_rater))

published <- c(
  independent("bcg_by_alloc", c(bcg$yi), bcg$vi, columns(~1, bcg), bcg$alloc),
  independent("bcg_ablat_by_alloc", c(bcg$yi), bcg$vi, columns(~ablat, bcg), bcg$alloc),
  independent("bcg_ablat_year_one_trial_a_cluster", c(bcg$yi), bcg$vi, columns(~ ablat + year, bcg), bcg$trial),
  independent("konstantopoulos2011", c(school$yi), school$vi, columns(~1, school), school$district),
  independent("konstantopoulos2011_year", c(school$yi), school$vi, columns(~year, school), school$district),
  independent("assink2016", c(assink$yi), assink$vi, columns(~1, assink), assink$study),
  independent("assink2016_three", c(assink$yi), assink$vi, columns(~ pubstatus + year + deltype, assink),
              assink$study, alone = TRUE),
  independent("farber_doolin2011_effects", c(farber$yi), farber$vi, columns(~1, farber), farber$study),
  independent("farber_doolin2011_effects_raters", c(farber$yi), farber$vi, columns(~raters), farber$study),
  independent("konstantopoulos2011_equal", c(school$yi), school$vi, columns(~1, school), school$district, rep(1, 56)),
  independent("assink2016_weights", c(assink$yi), assink$vi, columns(~1, assink), assink$study, 1 / sqrt(assink$vi))
)

rounded <- function(x) signif(x, 6)

random_set <- function(number) {
  repeat {
    s <- sample(c(4:8, 10, 15, 30), 1)
    cluster <- sample(rep(seq_len(s), sample(c(1, 1, 2, 3, 5, 9), s, replace = TRUE)))
    k <- length(cluster)
    alone <- number %% 6 == 0
    between <- rnorm(s)[cluster]
    x <- switch(number %% 5 + 1,
      matrix(1, k), cbind(1, rnorm(k)), cbind(1, between), cbind(1, rnorm(k), between),
      cbind(1, between > 0, rnorm(k), 2000 + sample(20, k, TRUE))
    )
    x <- cbind(x, if (alone) cluster == cluster[1])
    if (s > ncol(x) && k > ncol(x) + 1 && qr(x)$rank == ncol(x)) break
  }
  x <- rounded(unname(x))
  scale <- sample(c(1e-3, 0.05, 1), 1)
  vi <- scale * exp(rnorm(k, 0, sample(c(0.01, 0.7, 2), 1)))
  yi <- rnorm(k, 0, sqrt(vi)) + sqrt(scale * sample(c(0, 1, 5), 1)) * rnorm(s)[cluster]
  weights <- if (ncol(x) == 1 && number %% 2) rounded(rexp(k) + 0.1)
  list(sprintf("random%02d", number), rounded(yi), rounded(vi), x, cluster, weights, alone)
}

RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(2018)
random <- vapply(1:40, function(number) do.call(independent, random_set(number)), "")

# Correlated errors: random effects of known variance, and sampling errors that are correlated within the inner groups.
correlated <- function(name, data, x, cluster, inner, sigma2, rho) {
  same <- outer(inner, inner, "==")
  v <- rho * sqrt(outer(data$vi, data$vi)) * same
  diag(v) <- data$vi
  held <- data.frame(yi = c(data$yi), inner = inner, cluster = cluster)
  asked <- list(yi = held$yi, V = v, data = held, random = list(~ 1 | cluster, ~ 1 | inner), sigma2 = sigma2)
  asked$mods <- if (ncol(x) > 1) x[, -1, drop = FALSE]
  fit <- do.call(rma.mv, asked)
  more <- c(
    inner = json_numbers(as.integer(factor(inner))), sigma2 = json_numbers(sigma2), rho = json_number(rho),
    b = json_numbers(c(fit$beta))
  )
  json_set(name, x, held$yi, data$vi, cluster, more, adjusted(fit, cluster, ADJUSTMENTS))
}
schools <- paste(school$district, school$school)
blocks <- c(
  correlated("konstantopoulos2011_districts", school, columns(~year, school), school$district, schools,
             c(0.065, 0.033), 0),
  correlated("assink2016_blocks_in_clusters", assink, columns(~1, assink), assink$study,
             paste(assink$study, assink$deltype), c(0, 0.05), 0.6),
  correlated("assink2016_correlated", assink, columns(~ pubstatus + year, assink), assink$study, assink$study,
             c(0.1, 0.05), 0.6)
)

# robumeta's weights, taken as inverse variances.
weighted <- function(name, fit, groups) {
  data <- fit$data.full
  table <- fit$reg_table
  joint <- function(tested) {
    found <- Wald_test(fit, constrain_zero(tested), vcov = "CR2", test = "HTZ")
    json_object(c("tested", "HTZ"), c(
      json_numbers(tested), json_numbers(unlist(found[1, c("Fstat", "df_num", "df_denom", "p_val")]))
    ))
  }
  more <- c(
    r_weights = json_numbers(data$r.weights), b = json_numbers(c(fit$b.r)), se = json_numbers(table$SE),
    df = json_numbers(table$dfs), p_values = json_numbers(table$prob),
    tests = json_list(vapply(groups, joint, ""))
  )
  json_set(name, unname(as.matrix(fit$X.full[, -1])), data$effect.size, data$var.eff.size, data$study, more, "{}")
}
data(corrdat)
data(hierdat)
dropout <- robu(
  LOR1 ~ study_design + attrition + group_equivalence + adjusted + outcome + evaluator_independence + male_pct +
    white_pct + average_age + implementation_quality + program_site + duration + service_hrs,
  data = dropoutPrevention, studynum = studyID, var.eff.size = varLOR, modelweights = "HIER"
)
corr <- robu(effectsize ~ males + college + binge, data = corrdat, studynum = studyid, var.eff.size = var, rho = 0.8)
hier <- robu(effectsize ~ binge + followup + sreport + age, data = hierdat, studynum = studyid, var.eff.size = var,
             modelweights = "HIER")
robu_sets <- c(
  weighted("corrdat", corr, list(2:4)),
  weighted("hierdat", hier, list(2:5)),
  weighted("dropoutPrevention", dropout, list(2:3, 7:9, 10:12, 16:17, 18:20))
)

call <- paste(
  "coef_test(fit, vcov=vcovCR(fit, cluster, type), test='Satterthwaite'), Wald_test(fit, constrain_zero(2:p), vcov,",
  "test=c('HTZ', 'Naive-F', 'Naive-Fp', 'chi-sq')) of rma(yi, vi, mods, weights, method='DL'), of",
  "rma.mv(yi, V, mods, random=list(~1|cluster, ~1|inner), sigma2), and HTZ of robu(); robu()'s reg_table.",
  "A joint test is [F, df1, df2, p]; 'covariance' is by columns"
)
versions <- vapply(c("metafor", "metadat", "clubSandwich", "robumeta"), function(name) {
  as.character(packageVersion(name))
}, "")
source_record <- json_object(
  c("software", "r_version", paste0(names(versions), "_version"), "date", "script", "call"),
  vapply(c(
    "R", paste(R.version$major, R.version$minor, sep = "."), versions, "2026-11-23", "tests/reference/make/robust.R",
    call
  ), json_text, "")
)

out <- file("tests/reference/robust.json", open = "wb")
writeLines(paste0(
  '{\n"source": ', source_record,
  ',\n"independent": [\n', paste(c(published, random), collapse = ",\n"),
  '\n],\n"correlated": [\n', paste(blocks, collapse = ",\n"),
  '\n],\n"robumeta": [\n', paste(robu_sets, collapse = ",\n"), "\n]\n}"
), out, sep = "\n", useBytes = TRUE)
close(out)
