create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
  insert into t select i, 'row ' || (i * 7919 % 2003), i * 0.37 - 200 from n;
create index x on t(b);
create view v as select a % 10 as k, sum(c) as s, count(*) as n from t group by k;
select * from v;
select a, b, c, rank() over (partition by a % 3 order by c desc) from t where b like '%77%' order by a limit 20;
select group_concat(b, ';') from t where a between 30 and 40;
select json_group_object(a, c) from t where a < 9;
select hex(cast(c as blob)), printf('%.15g %d', c * 1e17, a), c / 3 from t where a % 301 = 2;
begin;
update t set c = c * 1.5 where a % 7 = 0;
delete from t where a % 11 = 0;
select total(c), avg(c), count(*) from t;
rollback;
select total(c), max(length(b)) from t;
explain query plan select * from t where b = 'row 5';
explain select b, count(*) from t where c > 3 group by b having count(*) > 1;
vacuum;
pragma integrity_check;
select a, b from t where c > (select avg(c) from t) and b < 'row 15' order by b, a limit 15;
.mode insert
select a, b from t where a % 400 = 1;
.sha3sum
