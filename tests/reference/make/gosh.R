# Writes tests/reference/gosh.json: what metafor's gosh() makes of the subsets of a published set.
# Run from the repository's root: Rscript tests/reference/make/gosh.R

source("tests/reference/make/gosh_fits.R")

bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
yi <- as.numeric(bcg$yi)
vi <- as.numeric(bcg$vi)
fits <- lapply(c(EE = "EE", DL = "DL", REML = "REML"), function(method) {
  found <- every_subset(yi, vi, method)
  two <- found[found$k > 1, ]
  some <- found[seq(1, nrow(found), by = 45), ]
  list(subsets = nrow(found), mean_of_two_or_more = colMeans(two[c("QE", "I2", "tau2", "estimate")]), some = some)
})
source_record <- list(
  software = "R", r_version = paste(R.version$major, R.version$minor, sep = "."),
  metafor_version = as.character(packageVersion("metafor")),
  metadat_version = as.character(packageVersion("metadat")), date = "2026-11-23",
  script = "tests/reference/make/gosh.R",
  call = paste(
    "gosh(rma(yi, vi, method, control = list(threshold = 1e-13 * min(1, mean(vi)), stepadj = 0.5))) of",
    "escalc('RR', dat.bcg); 'some' is every 45th of all 8191 subsets, 'number' has bit i for effect i"
  )
)
out <- list(source = source_record, bcg = list(yi = yi, vi = vi, fits = fits))
out$bcg$fits <- lapply(out$bcg$fits, function(fit) {
  fit$mean_of_two_or_more <- as.list(fit$mean_of_two_or_more)
  fit$some <- as.list(fit$some)
  fit
})
writeLines(jsonlite::toJSON(out, digits = I(17), auto_unbox = TRUE), "tests/reference/gosh.json", useBytes = TRUE)
