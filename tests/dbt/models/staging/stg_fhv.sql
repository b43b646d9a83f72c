select
    lower(hex(unique_row_id)) as trip_id,
    'fhv' as taxi,
    cast(pickup_datetime as timestamp) as picked_up_at,
    cast(dropOff_datetime as timestamp) as dropped_off_at,
    cast(PUlocationID as integer) as pickup_zone,
    cast(DOlocationID as integer) as dropoff_zone,
    cast(null as decimal(12, 2)) as total_amount
from {{ source('trips', 'fhv_tripdata') }}
