select
    lower(hex(unique_row_id)) as trip_id,
    'yellow' as taxi,
    cast(tpep_pickup_datetime as timestamp) as picked_up_at,
    cast(tpep_dropoff_datetime as timestamp) as dropped_off_at,
    cast(PULocationID as integer) as pickup_zone,
    cast(DOLocationID as integer) as dropoff_zone,
    cast(total_amount as decimal(12, 2)) as total_amount
from {{ source('trips', 'yellow_tripdata') }}
