select
    taxi,
    date_trunc('month', picked_up_at) as month,
    pickup_zone,
    count(*) as trips,
    sum(total_amount) as revenue
from {{ ref('trips') }}
group by all
