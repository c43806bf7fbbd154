"""How good the answers from documents are: questions with expected answers, what counts as right, figures with intervals, and the
threshold below which nothing is answered. Knows neither jobs nor owners; asking the questions is done by `playground.many.checks`."""
