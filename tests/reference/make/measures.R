# Writes tests/reference/measures.json: what metafor's escalc() makes of grids of summary statistics.
# Run from the repository's root: Rscript tests/reference/make/measures.R

source("tests/reference/make/fits.R") # for its JSON functions

# ---- the grids: near 0 and large, both signs, n from 4 to 1500, equal and unequal groups ----

correlations <- list(
  ri = c(0.3, -0.5, 0.05, 0.8, -0.92, 0.21, 0, 0.99, -0.08, 0.47, 0.62, -0.33, 0.14, 0.001, 0.71, -0.26),
  ni = c(5, 6, 7, 8, 10, 12, 15, 20, 24, 31, 50, 73, 120, 256, 600, 1500)
)

partial <- list( # r2i is at least the squared semi-partial correlation; mi counts all predictors
  ti = c(1, -2, 0.5, 3.2, -0.04, 4.5, -1.3, 2.1, 0, -6.2, 8.75, 1.96, -12.4, 15.3),
  ni = c(5, 8, 9, 10, 14, 20, 26, 40, 57, 88, 130, 300, 640, 1500),
  mi = c(2, 3, 2, 1, 6, 4, 5, 3, 10, 4, 7, 12, 5, 20),
  r2i = c(0.4, 0.75, 0.3, 0.62, 0.15, 0.7, 0.22, 0.35, 0.18, 0.44, 0.51, 0.08, 0.3, 0.66)
)

groups <- list( # means are all positive, for the ratio of means; pairs of equal means give effects of 0
  m1i = c(10, 12.5, 9.1, 8, 21.3, 50, 3.42, 14, 100.2, 7.7, 5.05, 30, 2.5, 64, 18.25, 11.9),
  m2i = c(9, 14, 8.5, 5, 21.3, 41.5, 3.4, 19.6, 96.8, 2.9, 5.11, 36.6, 1.25, 60.9, 18.24, 15.1),
  sd1i = c(2, 3, 2.5, 1.5, 4.4, 9.5, 0.8, 3.1, 14.9, 2.2, 1.01, 5, 0.6, 11.2, 2.75, 1.3),
  sd2i = c(2.2, 2, 3, 2, 4.4, 12.1, 0.75, 2.6, 15.3, 1.1, 0.4, 11.5, 0.6, 10.4, 2.9, 2.1),
  n1i = c(2, 4, 6, 5, 8, 10, 12, 15, 25, 30, 40, 60, 100, 200, 450, 800),
  n2i = c(3, 4, 3, 10, 7, 20, 12, 9, 24, 10, 80, 61, 100, 150, 30, 700)
)
negative_means <- list(
  m1i = c(-3.2, -1, 0.4, 0, -6.1, 2.2), m2i = c(-2.5, 1.5, -0.4, -2.2, -6, 7.9),
  sd1i = c(1.1, 2, 0.9, 1.4, 3.3, 2.5), sd2i = c(1.3, 1.7, 1.2, 1.4, 0.8, 2.6),
  n1i = c(4, 7, 10, 22, 50, 300), n2i = c(6, 5, 10, 31, 8, 295)
)
given_d <- list(
  di = c(0.5, -0.7, 1.2, 0.02, -3.1, 0, 0.35, 0.81, -0.24, 2.25),
  n1i = c(2, 4, 5, 8, 10, 20, 33, 100, 250, 800), n2i = c(2, 6, 10, 7, 9, 60, 31, 40, 260, 700)
)
given_t <- list(
  ti = c(1, -2.2, 3.5, 0.03, -6.4, 0, 1.71, 2.05, -1.98, 11.3),
  n1i = given_d$n1i, n2i = given_d$n2i
)

paired <- list(
  m1i = groups$m1i, m2i = groups$m2i, sd1i = groups$sd1i, sd2i = groups$sd2i,
  ni = c(4, 5, 6, 7, 8, 10, 12, 15, 20, 28, 40, 65, 110, 250, 600, 1500),
  ri = c(0.5, 0.3, -0.3, 0.8, 0, 0.62, 0.95, 0.1, 0.75, -0.15, 0.44, 0.7, 0.55, 0.88, 0.33, 0.6)
)

tables <- list(
  ai = c(1, 3, 2, 10, 7, 15, 1, 33, 60, 4, 150, 812),
  bi = c(2, 5, 8, 20, 7, 3, 49, 60, 12, 220, 148, 690),
  ci = c(1, 4, 5, 5, 7, 2, 3, 35, 20, 11, 90, 455),
  di = c(3, 2, 1, 30, 7, 18, 21, 57, 90, 200, 215, 1043)
)
tables_with_zeros <- list(
  ai = c(0, 3, 5, 4, 0, 6, 10, 0, 0, 12, 250),
  bi = c(8, 5, 0, 9, 4, 3, 0, 11, 150, 0, 31),
  ci = c(3, 0, 4, 7, 0, 2, 0, 9, 2, 15, 0),
  di = c(6, 7, 6, 0, 9, 5, 12, 0, 148, 0, 280)
)

alphas <- list(
  ai = c(0.8, 0.9, 0.5, -0.2, 0.02, 0.97, 0.71, 0.85, 0.63, 0.78, 0.92, -1.4),
  mi = c(5, 10, 20, 4, 2, 40, 7, 12, 3, 25, 9, 6),
  ni = c(4, 5, 7, 8, 10, 20, 35, 60, 140, 300, 750, 1500)
)

measures <- c(
  lapply(c(COR = "COR", UCOR = "UCOR", ZCOR = "ZCOR"), function(m) list(correlations)),
  lapply(c(PCOR = "PCOR", ZPCOR = "ZPCOR"), function(m) list(partial[c("ti", "ni", "mi")])),
  list(SPCOR = list(partial), RPB = list(groups, negative_means), RBIS = list(groups, negative_means)),
  list(MD = list(groups, negative_means), SMD = list(groups, negative_means, given_d, given_t)),
  list(SMDH = list(groups, negative_means), SMD1 = list(groups[-3], negative_means[-3])),
  list(SMD1H = list(groups, negative_means), ROM = list(groups)),
  lapply(c(D2ORN = "D2ORN", D2ORL = "D2ORL", D2OR = "D2OR"), function(m) list(groups, negative_means)),
  lapply(c(MC = "MC", SMCC = "SMCC"), function(m) list(paired)),
  list(SMCR = list(paired[-4]), SMCRH = list(paired), ROMC = list(paired)),
  lapply(
    c(OR = "OR", RR = "RR", RD = "RD", PHI = "PHI", OR2DN = "OR2DN", OR2DL = "OR2DL", OR2D = "OR2D"),
    function(m) list(tables, tables_with_zeros)
  ),
  lapply(c(ARAW = "ARAW", AHW = "AHW", ABT = "ABT"), function(m) list(alphas))
)

# ---- asking escalc() ----

# The types of variance that this version of metafor knows; any other is refused for every measure.
VTYPES <- c("LS", "LS2", "UB", "AV", "HO", "AVHO", "ST", "CS")

squeezed <- function(text) trimws(gsub("\\s+", " ", text))

# escalc()'s answer, or the text of its error
ask <- function(measure, inputs, vtype = "LS", options = list()) {
  warned <- character(0)
  answer <- tryCatch(
    withCallingHandlers(
      do.call(escalc, c(list(measure = measure), inputs, list(vtype = vtype), options)),
      warning = function(w) {
        warned <<- unique(c(warned, squeezed(conditionMessage(w))))
        invokeRestart("muffleWarning")
      }
    ),
    error = function(e) squeezed(conditionMessage(e))
  )
  if (is.character(answer)) return(answer)
  list(yi = as.numeric(answer$yi), vi = as.numeric(answer$vi), warnings = warned)
}

as_code <- function(value) {
  one <- if (is.character(value)) json_text(value) else as.character(value)
  if (length(one) == 1) one else paste0("c(", paste(one, collapse = ", "), ")")
}

call_text <- function(measure, inputs, vtype, options = list()) {
  named <- function(values) if (length(values)) paste0(", ", names(values), " = ", vapply(values, as_code, ""))
  paste0(
    'escalc(measure = "', measure, '"', paste0(", ", names(inputs), " = ", names(inputs), collapse = ""),
    ", vtype = ", as_code(vtype), paste(named(options), collapse = ""), ")"
  )
}

case_json <- function(measure, inputs, vtype, answer, options = list()) {
  types <- if (length(vtype) == 1) json_text(vtype) else json_texts(vtype)
  extra <- character(0)
  if (length(options)) {
    values <- vapply(options, function(value) {
      if (is.logical(value)) tolower(value) else if (is.character(value)) json_text(value) else json_number(value)
    }, "")
    extra <- paste0('"options": ', json_object(names(options), values), ",\n")
  }
  if (is.list(answer) && length(answer$warnings)) {
    extra <- c(extra, paste0('"warnings": ', json_texts(answer$warnings), ",\n"))
  }
  paste0(
    '{"measure": ', json_text(measure), ', "vtype": ', types, ",\n",
    '"call": ', json_text(call_text(measure, inputs, vtype, options)), ",\n", paste(extra, collapse = ""),
    '"inputs": {\n', paste0('"', names(inputs), '": ', vapply(inputs, json_numbers, ""), collapse = ",\n"), "},\n",
    if (is.character(answer)) paste0('"error": ', json_text(answer), "}")
    else paste0('"yi": ', json_numbers(answer$yi), ",\n", '"vi": ', json_numbers(answer$vi), "}")
  )
}

# `vtypes` met the same error; the call is that of the first
refusal_json <- function(measure, vtypes, inputs, error) {
  json_object(c("measure", "vtypes", "call", "error"), c(
    json_text(measure), json_texts(vtypes), json_text(call_text(measure, inputs, vtypes[1])), json_text(error)
  ))
}

cases <- character(0)
refused <- character(0)
without_effect <- list()
for (measure in names(measures)) {
  grids <- measures[[measure]]
  answers <- sapply(VTYPES, function(vtype) ask(measure, grids[[1]], vtype), simplify = FALSE)
  accepted <- VTYPES[!vapply(answers, is.character, NA)]
  errors <- unlist(answers[setdiff(VTYPES, accepted)])
  for (error in unique(errors)) {
    refused <- c(refused, refusal_json(measure, names(errors)[errors == error], grids[[1]], error))
  }
  if (length(accepted) > 3 && length(unique(unname(answers[accepted]))) == 1) {
    without_effect[[measure]] <- setdiff(accepted, "LS") # taken, but the numbers are the same for all
    accepted <- "LS"
  }
  for (vtype in accepted) {
    for (grid in grids) cases <- c(cases, case_json(measure, grid, vtype, ask(measure, grid, vtype)))
  }
}

# one vtype a row; and what is added to tables with empty cells
mixed <- list(
  list("PHI", tables, rep(c("ST", "CS"), length.out = length(tables$ai)), list()),
  list("RPB", groups, rep(c("CS", "ST"), length.out = length(groups$n1i)), list())
)
for (measure in c("OR", "RR", "RD")) {
  for (options in list(
    list(to = "all"), list(to = "if0all"), list(to = "none"), list(drop00 = TRUE), list(add = 0.25, to = "only0")
  )) mixed <- c(mixed, list(list(measure, tables_with_zeros, "LS", options)))
}
for (set in mixed) {
  answer <- ask(set[[1]], set[[2]], set[[3]], set[[4]])
  cases <- c(cases, case_json(set[[1]], set[[2]], set[[3]], answer, set[[4]]))
}

# the smallest samples, and what there is no number for
tiny_groups <- list(
  m1i = rep(3, 6), m2i = rep(2, 6), sd1i = rep(1, 6), sd2i = rep(1.2, 6),
  n1i = c(2, 1, 2, 3, 1, 5), n2i = c(2, 2, 1, 1, 5, 1)
)
tiny_pairs <- list(
  m1i = c(3, 3, 3), m2i = c(2, 2, 2), sd1i = c(1, 1, 1), sd2i = c(1.2, 1.2, 1.2), ni = c(1, 2, 3), ri = c(0.5, 0.5, 0.5)
)
tiny_correlations <- list(ri = c(0.3, 0.3, 0.3, 0.3, 0.3, 1, -1), ni = c(1, 2, 3, 4, 5, 10, 10))
edges <- character(0)
for (set in c(
  lapply(c("COR", "UCOR", "ZCOR"), list, tiny_correlations, "LS"),
  list(list("UCOR", tiny_correlations, "UB")),
  lapply(c("PCOR", "ZPCOR"), list, list(ti = c(1, 1, 1), ni = c(4, 5, 6), mi = c(2, 2, 2)), "LS"),
  list(list("PCOR", list(ti = c(1, 1), ni = c(3, 5), mi = c(2, 2)), "LS")), # no degrees of freedom: an error
  lapply(c("MD", "SMD", "SMDH", "SMD1H", "ROM", "RPB", "RBIS"), list, tiny_groups, "LS"),
  list(list("SMD1", tiny_groups[-3], "LS"), list("SMD", tiny_groups, "UB")),
  list(list("ROM", negative_means, "LS")),
  lapply(c("MC", "SMCC", "SMCRH"), list, tiny_pairs, "LS"),
  list(list("SMCR", tiny_pairs[-4], "LS")),
  lapply(c("ARAW", "AHW", "ABT"), list, list(ai = c(0.5, 0.5, 0.5, 1), mi = c(2, 2, 2, 2), ni = c(1, 2, 3, 10)), "LS")
)) {
  edges <- c(edges, case_json(set[[1]], set[[2]], set[[3]], ask(set[[1]], set[[2]], set[[3]])))
}

stopifnot(ask("SMD", groups, "LS3") == "Unknown 'vtype' argument specified.")

# codes that other versions have, and routes (d, t, r in place of what d, t and r come from)
small <- list(n1i = c(5, 30), n2i = c(7, 20))
pairs <- list(ni = c(10, 20), ri = c(0.1, 0.2))
for (set in c(
  lapply(c("ZPB", "ZBIS"), list, groups), lapply(c("R2", "ZR2"), list, partial), list(list("ZPHI", tables)),
  lapply(c("SMCRP", "SMCRPH"), list, paired),
  lapply(
    c("SMDH", "SMD1", "SMD1H", "RPB", "RBIS", "D2ORN", "D2ORL", "MD"), list, c(list(di = c(0.5, -0.7)), small)
  ),
  lapply(
    c("SMDH", "SMD1", "SMD1H", "RPB", "RBIS", "D2ORN", "D2ORL", "MD"), list, c(list(ti = c(1, -2)), small)
  ),
  lapply(c("COR", "UCOR", "ZCOR"), list, list(ti = c(1, -2), ni = c(10, 20))),
  lapply(c("MC", "SMCC", "SMCR"), list, c(list(di = c(0.5, -0.7)), pairs)),
  lapply(c("MC", "SMCC", "SMCR"), list, c(list(ti = c(1, -2)), pairs)),
  lapply(c("PCOR", "ZPCOR"), list, list(ri = c(0.1, 0.3), ni = c(10, 20), mi = c(2, 3)))
)) {
  answer <- ask(set[[1]], set[[2]])
  if (!is.character(answer)) stop(set[[1]], " ", paste(names(set[[2]]), collapse = " "), " is available")
  refused <- c(refused, refusal_json(set[[1]], "LS", set[[2]], answer))
}

source_record <- json_object(
  c("software", "r_version", "metafor_version", "gsl_version", "date", "script", "call"),
  vapply(c(
    "R", paste(R.version$major, R.version$minor, sep = "."), as.character(packageVersion("metafor")),
    as.character(packageVersion("gsl")), "2026-11-23", "tests/reference/make/measures.R",
    "each case's 'call', with the vectors of its 'inputs'; null where escalc() gives NA"
  ), json_text, "")
)

out <- file("tests/reference/measures.json", open = "wb")
writeLines(paste0(
  '{\n"source": ', source_record,
  ',\n"vtype_without_effect": {\n',
  paste0('"', names(without_effect), '": ', vapply(without_effect, json_texts, ""), collapse = ",\n"),
  '\n},\n"cases": [\n', paste(cases, collapse = ",\n"),
  '\n],\n"edges": [\n', paste(edges, collapse = ",\n"),
  '\n],\n"not_available": [\n', paste(refused, collapse = ",\n"), "\n]\n}"
), out, sep = "\n", useBytes = TRUE)
close(out)
