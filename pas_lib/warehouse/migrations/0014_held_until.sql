-- Until when a name of a model is held at most: the state of rules that have such a day.
alter table ops.model_weights add column until date;
