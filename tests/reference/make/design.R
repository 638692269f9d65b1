# Writes tests/reference/design.json: what R's model.matrix() makes of formulas, for the rows it saw and for new ones.
# Run from the repository's root: Rscript tests/reference/make/design.R

library(splines)

json_numbers <- function(x) paste0("[", paste(formatC(x, digits = 17, width = -1, format = "g"), collapse = ", "), "]")
json_texts <- function(x) paste0("[", paste0('"', x, '"', collapse = ", "), "]")
json_rows <- function(m) paste0("[\n", paste(apply(m, 1, json_numbers), collapse = ",\n"), "\n]")
json_truths <- function(x) paste0("[", paste(tolower(x), collapse = ", "), "]")

set.seed(20261123)
raters <- c("client", "therapist", "observer")
treatments <- c("IPT", "CBT")
cells <- expand.grid(rater = raters, treatment = treatments, rct = c(FALSE, TRUE), stringsAsFactors = FALSE)
cells <- rbind(cells, cells[sample(12), ]) # every combination twice; the levels first appear in the order above
make_rows <- function(k, years, sizes) {
  data.frame(
    year = sample(years, k, replace = TRUE), n = round(runif(k, sizes[1], sizes[2]), 1), cells[seq_len(k), ],
    row.names = NULL
  )
}
seen <- make_rows(24, 1985:2015, c(5, 90))
new <- make_rows(7, 1975:2030, c(20, 60)) # years beyond those seen; sizes within them, because of the splines

in_order <- function(d) {
  d$rater <- factor(d$rater, levels = raters)
  d$treatment <- factor(d$treatment, levels = treatments)
  d
}
seen_factors <- in_order(seen)
new_factors <- in_order(new)

# The library's formula = R's.
formulas <- c(
  "year + n" = "year + n",
  "rater" = "rater",
  "0 + rater" = "0 + rater",
  "rater - 1 + year" = "rater - 1 + year",
  "year * rater" = "year * rater",
  "rater + rater:treatment" = "rater + rater:treatment",
  "0 + rater:treatment" = "0 + rater:treatment",
  "treatment / year" = "treatment / year",
  "(year + n + treatment)**2" = "(year + n + treatment)^2",
  "year:treatment" = "year:treatment",
  "treatment:year + rater" = "treatment:year + rater",
  "0 + rater + treatment" = "0 + rater + treatment",
  "0 + rater * treatment" = "0 + rater * treatment",
  "0 + year + rater * rct" = "0 + year + rater * rct",
  "rater * treatment * year - rater:treatment:year" = "rater * treatment * year - rater:treatment:year",
  "rater * treatment * rct" = "rater * treatment * rct",
  "n + year:rater:treatment" = "n + year:rater:treatment",
  "C(rater, reference='observer') * year" = "C(rater, contr.treatment(3, base = 3)) * year",
  "log(n) + sqrt(n) + I((year - 2000)**2 / 100)" = "log(n) + sqrt(n) + I((year - 2000)^2 / 100)",
  "center(year) + scale(n)" = "scale(year, scale = FALSE) + scale(n)",
  "scale(log(n)) * rct" = "scale(log(n)) * rct",
  "poly(year, 1)" = "poly(year, 1)",
  "poly(year, 4)" = "poly(year, 4)",
  "poly(n, 2) * treatment" = "poly(n, 2) * treatment",
  "0 + poly(year, 2):rater" = "0 + poly(year, 2):rater",
  "poly(log(n), 3)" = "poly(log(n), 3)",
  "bs(n, df=3)" = "bs(n, df = 3)",
  "bs(n, df=6)" = "bs(n, df = 6)",
  "bs(n, df=4, degree=2) + treatment" = "bs(n, df = 4, degree = 2) + treatment",
  "bs(n, df=3, degree=1):rct" = "bs(n, df = 3, degree = 1):rct"
)

case_of <- function(ours) {
  r <- formulas[[ours]]
  seen_terms <- terms(model.frame(as.formula(paste("~", r)), seen_factors))
  matrix <- model.matrix(seen_terms, model.frame(seen_terms, seen_factors))
  if (qr(matrix)$rank < ncol(matrix)) stop(r, " is not of full rank")
  predicted <- model.matrix(seen_terms, model.frame(seen_terms, new_factors))
  paste0(
    "{\n",
    '"formula": "', ours, '",\n"r": "', r, '",\n',
    '"names": ', json_texts(colnames(matrix)), ",\n",
    '"terms": ', json_texts(attr(seen_terms, "term.labels")), ",\n",
    '"assign": ', json_numbers(attr(matrix, "assign")), ",\n",
    '"matrix": ', json_rows(matrix), ",\n",
    '"new": ', json_rows(predicted), "\n}"
  )
}

json_table <- function(d) {
  columns <- vapply(names(d), function(name) {
    x <- d[[name]]
    values <- if (is.logical(x)) json_truths(x) else if (is.numeric(x)) json_numbers(x) else json_texts(x)
    paste0('"', name, '": ', values)
  }, "")
  paste0("{\n", paste(columns, collapse = ",\n"), "\n}")
}

source_block <- paste0(
  '{"software": "R", "r_version": "', getRversion(), '", "splines_version": "', packageVersion("splines"),
  '", "date": "2026-11-23", "script": "tests/reference/make/design.R", ',
  '"call": "model.matrix(terms, model.frame(terms, rows)), terms from the rows seen"}'
)
writeLines(
  paste0(
    "{\n", '"source": ', source_block, ",\n",
    '"seen": ', json_table(seen), ",\n", '"new": ', json_table(new), ",\n",
    '"cases": [\n', paste(vapply(names(formulas), case_of, ""), collapse = ",\n"), "\n]\n}"
  ),
  "tests/reference/design.json"
)
