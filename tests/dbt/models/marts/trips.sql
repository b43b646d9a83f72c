select * from {{ ref('stg_yellow') }}
union all
select * from {{ ref('stg_green') }}
union all
select * from {{ ref('stg_fhv') }}
