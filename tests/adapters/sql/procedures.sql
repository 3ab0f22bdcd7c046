CREATE TABLE orders_done (
    id bigint GENERATED ALWAYS AS IDENTITY, ref text PRIMARY KEY, kind text, member text, amount numeric(20, 2), of_ref text,
    state text NOT NULL DEFAULT 'OK', code text, done_at timestamptz NOT NULL DEFAULT now()
);
CREATE FUNCTION do_order(ref_ text, kind_ text, member_ text, amount_ numeric, of_ text) RETURNS SETOF orders_done
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    gives boolean := kind_ = 'CREDIT' OR EXISTS (SELECT FROM orders_done WHERE ref = of_ AND kind = 'DEBIT');
    why text;
    has numeric;
BEGIN
    INSERT INTO orders_done (ref, kind, member, amount, of_ref) VALUES (ref_, kind_, member_, amount_, of_)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN QUERY SELECT * FROM orders_done WHERE ref = ref_;
        RETURN;
    END IF;
    SELECT balance INTO has FROM member WHERE number = member_ FOR UPDATE;
    IF member_ = 'LIMIT' THEN
        RAISE EXCEPTION 'too much' USING ERRCODE = 'PH001';
    ELSIF member_ = 'BROKEN' THEN
        RAISE EXCEPTION 'broken';
    ELSIF has IS NULL THEN
        why := 'WHO';
    ELSIF kind_ = 'REVERSE' AND amount_ > (SELECT amount FROM orders_done WHERE ref = of_)
        - (SELECT coalesce(sum(amount), 0) FROM orders_done WHERE of_ref = of_ AND state = 'OK' AND ref <> ref_) THEN
        why := 'MORE';
    ELSIF NOT gives AND has < amount_ THEN
        why := 'FUNDS';
    END IF;
    IF why IS NOT NULL THEN
        UPDATE orders_done SET state = 'NO', code = why WHERE ref = ref_;
    ELSE
        UPDATE member SET balance = balance + CASE WHEN gives THEN amount_ ELSE -amount_ END WHERE number = member_;
    END IF;
    RETURN QUERY SELECT * FROM orders_done WHERE ref = ref_;
END $$;
