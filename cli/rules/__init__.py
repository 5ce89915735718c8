"""`rules.yml`: options by folder and name, as the operator writes them.

document.py  the file -> YAML nodes with their lines
loader.py    nodes -> RulesFile, or RulesError with every mistake
compiler.py  RulesFile -> rules.json of the package, which the functions read
coverage.py  which rules have no effect because later ones replace all their options
hot_words.py  a file of hot words -> words with weights
hot_word_templates.py  rules -> the templates that they need
"""
