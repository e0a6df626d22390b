-- Nine rule models in one query: touches within 90 days before each conversion of their account, placed by one window,
-- weighed, and summed by campaign in doubles. The yardstick: of six ways to write it, the one that took least processor
-- time. Moments become microseconds first: the arithmetic of zoned times is calendar arithmetic.
with touches as (
    select account_id, campaign_id, touch_id, kind = 'membership' as is_membership, epoch_us(touched_at) as touched_at
    from '{folder}/touches.parquet'),
conversions as (
    select conversion_id, account_id, value, epoch_us(converted_at) as converted_at,
           (epoch_us(converted_at) // 86400000000 - 90) * 86400000000 as since,
           (epoch_us(lead_created_at) // 86400000000 + 1) * 86400000000 as lead_until,
           (epoch_us(opportunity_created_at) // 86400000000 + 1) * 86400000000 as opportunity_until
    from '{folder}/conversions.parquet'),
met as (
    select conversion_id, campaign_id, value, touched_at, is_membership, touch_id,
           touched_at < lead_until as by_lead, touched_at < opportunity_until as by_opportunity,
           exp((touched_at - converted_at) * (ln(2.0::double) / (30 * 86400000000.0::double))) as decay
    from touches join conversions using (account_id)
    where touched_at between since and converted_at),
journeys as (
    select conversion_id, count(*) as n, count(*) filter (by_lead) as lead,
           count(*) filter (by_opportunity) as opportunity, sum(decay) as decays
    from met group by conversion_id),
placed as (
    select campaign_id, value, n, lead, opportunity, decay / decays as decayed, row_number() over (
        partition by conversion_id order by touched_at, is_membership, touch_id) as place
    from met join journeys using (conversion_id)),
held as (                                            -- 1 where a touch holds a place, or a journey has it
    select campaign_id, value, n, decayed, (place = 1)::int as first, (place = n)::int as last,
           (place = lead)::int as at_lead, (place = opportunity)::int as at_opportunity,
           (lead > 0)::int as has_lead, (opportunity > 0)::int as has_opportunity, (n > 1)::int as has_two,
           (lead > 1)::int as lead_apart, (opportunity > 1 and opportunity <> lead)::int as opportunity_apart,
           (n > 1 and n <> lead and n <> opportunity)::int as last_apart
    from placed),
rested as (                                          -- how many touches hold no place, by model
    select *, n - 1 - has_two as j_rest, n - 1 - lead_apart as u_rest, n - 1 - lead_apart - opportunity_apart as w_rest,
           n - 1 - lead_apart - opportunity_apart - last_apart as full_rest
    from held),
summed as (
    select campaign_id, sum(value * first) as first_touch, sum(value * last) as last_touch, sum(value / n) as linear,
           sum(value * decayed) as time_decay,
           sum(value * (case when first + at_lead = 0 then 20 / u_rest else 40 * (first + at_lead) end)
               / (40 + 40 * has_lead + 20 * (u_rest > 0)::int)) as u_shaped,
           sum(value * (case when first + at_lead + at_opportunity = 0 then 10 / w_rest
                             else 30 * (first + at_lead + at_opportunity) end)
               / (30 * (1 + has_lead + has_opportunity) + 10 * (w_rest > 0)::int)) as w_shaped,
           sum(value * (case when first + at_lead + at_opportunity + last = 0 then 10 / full_rest
                             else 22.5::double * (first + at_lead + at_opportunity + last) end)
               / (22.5::double * (2 + has_lead + has_opportunity) + 10 * (full_rest > 0)::int)) as full_path,
           sum(value * (case when first + last = 0 then 20 / j_rest else 20 * first + 60 * last end)
               / (80 + 20 * (j_rest > 0)::int)) as j_shaped,
           sum(value * (case when first + last = 0 then 20 / j_rest else 60 * first + 20 * last end)
               / (80 + 20 * (j_rest > 0)::int)) as inverse_j
    from rested group by campaign_id),
credit as (
    unpivot summed on columns(* exclude campaign_id) into name model value credit)
select model, campaign_id, credit from credit
union all
select model, null, (select sum(value) from conversions) - sum(credit) from credit group by model
